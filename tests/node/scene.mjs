// A browser on the page of a tidegate of its own, in which nothing may go wrong unseen.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

import { PATIENCE, Server } from './server.mjs';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

export let browser;

before(async () => {
  const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
  browser = await chromium.launch({ executablePath, args: FLAGS });
});

after(() => browser?.close());

/** Everything that a page complains about, and everything that it fetches from elsewhere. */
class Watch {
  complaints = [];

  async over(context, origin) {
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        console.error(`policy violation: ${event.effectiveDirective} ${event.blockedURI}`);
      });
    });
    context.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(message.text());
    });
    context.on('weberror', (error) => this.complaints.push(String(error.error())));
    context.on('response', (response) => {
      if (response.status() >= 400) this.complaints.push(`${response.status()} ${response.url()}`);
    });
    context.on('request', (request) => {
      const url = new URL(request.url());
      const own = url.origin === origin || url.protocol === 'blob:';
      if (!own) this.complaints.push(`request to ${url.href}`);
    });
  }

  /** Takes away the complaints that were to be expected; gives how many there were. */
  forgive(pattern) {
    const before = this.complaints.length;
    this.complaints = this.complaints.filter((complaint) => !pattern.test(complaint));
    return before - this.complaints.length;
  }
}

/** A server, a browser of its own and one open page; at the end nothing may have gone wrong unseen. */
export function scene(name, body, options = {}) {
  test(name, { timeout: 6 * PATIENCE, ...options }, async (t) => {
    const server = await Server.start(t);
    const context = await browser.newContext({ acceptDownloads: true });
    t.after(() => context.close());
    context.setDefaultTimeout(PATIENCE);
    const watch = new Watch();
    await watch.over(context, server.address);
    const open = async (address = server.address) => {
      const page = await context.newPage();
      await page.goto(address);
      await connected(page);
      return page;
    };
    try {
      await body({ t, server, context, watch, open, page: await open() });
    } catch (error) {
      t.diagnostic(`the pages said: ${JSON.stringify(watch.complaints)}; the server said:\n${server.log}`);
      throw error;
    }
    assert.deepEqual(server.unheard, [], 'a message came that nothing sent');
    assert.deepEqual(server.unheededVerdicts, [], 'a verdict came that nobody gave');
    // The pages would complain that the server is gone.
    await context.close();
    await server.stop();
    assert.deepEqual(watch.complaints, []);
  });
}

export function connected(page) {
  return page.locator('#status[data-state="connected"]').waitFor();
}

export function message(page, id) {
  return page.locator(`.message[data-id="${id}"]`);
}

export function text(page, id) {
  return message(page, id).locator('.text');
}

export async function say(page, words) {
  await page.locator('#composer').fill(words);
  await page.locator('#composer').press('Enter');
}

/** Types a message and waits until the session has it and the page knows that. */
export async function tell(page, server, words) {
  await say(page, words);
  const heard = await server.heard();
  assert.equal(heard.content, words);
  await page.locator(`.message[data-id="${heard.meta.message_id}"][data-state="sent"]`).waitFor();
  return heard.meta.message_id;
}

/** Replies, and waits until the page shows it. */
export async function answer(page, server, words, more) {
  const ids = await server.reply(words, more);
  for (const id of ids) await message(page, id).waitFor();
  return ids[0];
}
