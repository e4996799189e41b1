// Permission prompts on the chat page: who sees them, who may answer, and how they look after themselves.

import assert from 'node:assert/strict';

import { answer, connected, message, say, scene, tell } from './scene.mjs';
import { Queue } from './server.mjs';

const REQUEST = {
  request_id: 'abcde',
  tool_name: 'Bash',
  description: 'List the files of the build folder',
  input_preview: '{"command":"ls build"}',
};

function prompts(page) {
  return page.locator('.prompt');
}

function choice(page, style) {
  return page.locator(`.choice.${style}`);
}

function mayAnswer(page) {
  return page.locator('#owner').waitFor({ state: 'visible' });
}

/** Opens the link with the key. */
async function openLink(server, open) {
  const page = await open(await server.link());
  await mayAnswer(page);
  return page;
}

// ---- With a session at the other end ----

scene('a press answers a permission request', async ({ page: stranger, server, open }) => {
  const page = await openLink(server, open);
  assert.equal(page.url(), `${server.address}/`, 'the key is not left in the address bar');
  for (const [style, behavior] of [['positive', 'allow'], ['negative', 'deny']]) {
    server.requestPermission({ ...REQUEST, request_id: `abcd${style[0]}` });
    const card = prompts(page).last();
    await choice(card, style).waitFor();
    assert.match(await card.innerText(), /Permission[^]*Bash[^]*List the files of the build folder/);
    await choice(card, style).click();
    assert.deepEqual(await server.verdict(), { request_id: `abcd${style[0]}`, behavior });
    await page.locator('.prompt.decided').nth(behavior === 'allow' ? 0 : 1).waitFor();
    assert.equal(await page.locator('.choice').count(), 0);
  }
  // Whatever the other page was sent has come before this.
  await answer(stranger, server, 'done');
  assert.equal(await prompts(stranger).count(), 0);
  assert.ok(!await stranger.locator('#owner').isVisible());
});

scene('a typed answer counts as well', async ({ server, open }) => {
  const page = await openLink(server, open);
  server.requestPermission(REQUEST);
  await prompts(page).waitFor();
  await say(page, `yes ${REQUEST.request_id}`);
  assert.deepEqual(await server.verdict(), { request_id: REQUEST.request_id, behavior: 'allow' });
  await page.locator('.prompt.decided').waitFor();
});

scene('a page without the key can answer nothing', async ({ page: stranger, server, open }) => {
  const page = await openLink(server, open);
  server.requestPermission(REQUEST);
  await choice(page, 'positive').waitFor();
  const press = {
    press: await choice(page, 'positive').getAttribute('data-action'),
    message: await prompts(page).getAttribute('data-id'),
  };
  await stranger.evaluate((frame) => new Promise((resolve) => {
    const socket = new WebSocket(`ws://${location.host}/ws`);
    socket.onopen = () => {
      socket.send(JSON.stringify(frame));
      socket.send(JSON.stringify({ id: 'after', text: 'after the press' }));
    };
    // It comes to the page's own socket too, once the press is through.
    new MutationObserver(() => {
      if (document.querySelector('[data-id="after"]')) resolve(socket.close());
    }).observe(document.getElementById('log'), { childList: true });
  }), press);
  assert.equal((await server.heard()).content, 'after the press');
  await choice(page, 'negative').click();
  assert.deepEqual(await server.verdict(), { request_id: REQUEST.request_id, behavior: 'deny' });
});

scene('prompts are there after a reload, each once, in their place', async ({ server, open }) => {
  const page = await openLink(server, open);
  const other = await openLink(server, open);
  const order = (on) => on.locator('#log > *').evaluateAll((nodes) => nodes.map((node) => node.dataset.id));
  await tell(page, server, 'Please look');
  server.requestPermission(REQUEST);
  await prompts(page).waitFor();
  await prompts(other).waitFor();
  await answer(page, server, 'Meanwhile');
  const before = await order(page);
  assert.equal(before.length, 3);
  assert.equal(before[1], await prompts(page).getAttribute('data-id'));
  await page.reload();
  await connected(page);
  await prompts(page).waitFor();
  assert.deepEqual(await order(page), before);
  await choice(page, 'negative').click();
  assert.equal((await server.verdict()).behavior, 'deny');
  // Both pages show how it ended, and still do after a reload.
  for (const each of [page, other]) {
    await each.locator('.prompt.decided').waitFor();
    assert.equal(await each.locator('.choice').count(), 0);
  }
  await other.reload();
  await other.locator('.prompt.decided').waitFor();
  assert.deepEqual(await order(other), before);
});

scene('a key holds until the program is started again', async ({ server, open, watch }) => {
  const page = await openLink(server, open);
  await server.stop();
  await page.locator('#status:not([data-state="connected"])').waitFor();
  await server.start();
  await connected(page);
  await page.locator('#owner').waitFor({ state: 'hidden' });
  // The new link in the same tab loads nothing anew.
  await page.evaluate(() => { window.here = true; });
  await page.goto(await server.link());
  await mayAnswer(page);
  assert.equal(await page.evaluate(() => window.here), true);
  assert.equal(page.url(), `${server.address}/`);
  await page.reload();
  await mayAnswer(page);
  watch.forgive(/^WebSocket connection to '.*' failed: .*ERR_CONNECTION_REFUSED/);
});

// ---- The page by itself: its files are the program's, its frames are the test's ----

const CHOICES = [
  { action: 'permission:allow:abcde', label: 'Allow', style: 'positive' },
  { action: 'permission:deny:abcde', label: 'Deny', style: 'negative' },
  { action: 'permission:details:abcde', label: 'Details', style: 'neutral' },
];
const NOW = Date.now();

function prompt(id, minute, words, buttons = CHOICES) {
  return { id, text: words, ts: NOW + minute * 60_000, buttons };
}

function said(id, minute, words) {
  return { id, from: 'assistant', text: words, ts: NOW + minute * 60_000 };
}

/** What a page is told when it connects, and what it sends. */
class Stage {
  history = [];
  prompts = [];
  key = 'c0ffee';
  received = new Queue();
  #socket = null;

  async open(context, address) {
    const page = await context.newPage();
    await page.routeWebSocket(/\/ws\b/, (socket) => {
      this.#socket = socket;
      socket.onMessage((data) => this.received.push(JSON.parse(data)));
      const { searchParams } = new URL(socket.url());
      assert.ok(searchParams.has('host'), 'the page listens to the host');
      const owner = searchParams.get('key') === this.key;
      this.say({ type: 'host', owner, waiting: 0 });
      this.say({ type: 'history', messages: this.history });
      if (owner) this.say({ type: 'prompts', prompts: this.prompts });
    });
    await page.goto(`${address}/#key=${this.key}`);
    await mayAnswer(page);
    return page;
  }

  say(frame) {
    this.#socket.send(JSON.stringify(frame));
  }

  /** The page notices it, and comes back. */
  async disconnect(page) {
    await this.#socket.close();
    await page.locator('#status:not([data-state="connected"])').waitFor();
    await connected(page);
  }
}

/** A scene in which the test is the server. */
function staged(name, body) {
  scene(name, async (parts) => {
    const stage = new Stage();
    const open = () => stage.open(parts.context, parts.server.address);
    await body({ ...parts, stage, open });
  });
}

staged('a press that nothing comes of can be repeated', async ({ stage, open }) => {
  stage.prompts = [prompt('p1', 0, 'May it?')];
  const page = await open();
  await choice(page, 'positive').click();
  assert.deepEqual(await stage.received.next('press'), { press: CHOICES[0].action, message: 'p1' });
  assert.equal(await page.locator('.choice[aria-disabled="true"]').count(), 3);
  await choice(page, 'negative').click({ force: true });
  // Playwright waits until it is enabled again.
  await choice(page, 'negative').click();
  assert.deepEqual(await stage.received.next('press'), { press: CHOICES[1].action, message: 'p1' });
  assert.deepEqual(stage.received.rest, []);
  stage.say({ type: 'notice', text: 'Somebody was quicker' });
  await page.locator('.notice.calm', { hasText: 'Somebody was quicker' }).waitFor();
  stage.say({ type: 'prompt', ...prompt('p1', 0, 'Denied.', []) });
  await page.locator('.prompt.decided', { hasText: 'Denied.' }).waitFor();
  assert.equal(await page.locator('.choice').count(), 0);
});

staged('a click that was on its way when a prompt came does not answer it', async ({ stage, open }) => {
  const page = await open();
  const arrived = page.evaluate(() => new Promise((resolve) => {
    new MutationObserver(() => {
      const button = document.querySelector('.choice');
      if (!button) return;
      // However slow the machine is, this comes before whatever the page does later.
      setTimeout(() => resolve(button.click()), 20);
    }).observe(document.getElementById('log'), { childList: true });
  }));
  stage.say({ type: 'prompt', ...prompt('p1', 0, 'May it?') });
  await arrived;
  await choice(page, 'negative').click();
  assert.equal((await stage.received.next('press')).press, CHOICES[1].action);
});

staged('prompts keep their place among the messages over a lost connection', async ({ stage, open }) => {
  const shown = (page) => page.locator('#log > *').evaluateAll((nodes) => nodes.map((node) => node.dataset.id));
  stage.history = [said('m1', 1, 'one'), said('m3', 3, 'three')];
  stage.prompts = [prompt('p0', 0, 'zero', []), prompt('p2', 2, 'two', [])];
  const page = await open();
  await prompts(page).nth(1).waitFor();
  assert.deepEqual(await shown(page), ['p0', 'm1', 'p2', 'm3']);
  stage.say({ type: 'prompt', ...prompt('p4', 4, 'four') });
  await prompts(page).nth(2).waitFor();
  assert.deepEqual(await shown(page), ['p0', 'm1', 'p2', 'm3', 'p4']);

  // What was said and asked meanwhile; the oldest prompt is not kept any more.
  stage.history.push(said('m5', 5, 'five'), said('m7', 7, 'seven'));
  stage.prompts = [...stage.prompts.slice(1), prompt('p4', 4, 'four', []), prompt('p6', 6, 'six')];
  await stage.disconnect(page);
  await page.locator('[data-id="p6"]').waitFor();
  assert.deepEqual(await shown(page), ['m1', 'p2', 'm3', 'p4', 'm5', 'p6', 'm7']);
  assert.equal(await page.locator('.prompt.decided').count(), 2);
  assert.equal(await page.locator('.choice').count(), CHOICES.length);
});

staged('a page whose key is no longer honoured has nothing to press', async ({ stage, open }) => {
  stage.prompts = [prompt('p1', 0, 'May it?')];
  const page = await open();
  await choice(page, 'positive').waitFor();
  stage.key = 'decaf';
  await stage.disconnect(page);
  await page.locator('.prompt-state', { hasText: 'may no longer answer' }).waitFor();
  assert.equal(await page.locator('.choice').count(), 0);
  assert.ok(!await page.locator('#owner').isVisible());
});

staged('a prompt is only text, and announces itself', async ({ stage, open }) => {
  const page = await open();
  await page.evaluate(() => Object.defineProperty(document, 'hidden', { get: () => true }));
  const hostile = '<img src=x onerror="window.caught=1">';
  stage.say({
    type: 'prompt',
    ...prompt('p1', 0, `${hostile}\n\n\`\`\`\n${hostile}\n\`\`\``, [{ action: 'a', label: hostile, style: hostile }]),
  });
  await prompts(page).waitFor();
  assert.equal(await prompts(page).locator('img').count(), 0);
  assert.equal(await choice(page, 'neutral').innerText(), hostile);
  assert.equal(await page.evaluate(() => window.caught), undefined);
  assert.equal(await page.title(), '(1) tidegate');
  assert.equal(await page.getByRole('group', { name: 'Permission' }).count(), 1);
  // What becomes of it is no news of that kind.
  stage.say({ type: 'prompt', ...prompt('p1', 0, 'Done.', []) });
  await page.locator('.prompt.decided').waitFor();
  assert.equal(await page.title(), '(1) tidegate');
});

staged('a prompt is answered from the keyboard, and the focus stays with it', async ({ stage, open }) => {
  stage.prompts = [prompt('p1', 0, 'May it?')];
  const page = await open();
  await choice(page, 'neutral').waitFor();
  await page.locator('#composer').focus();
  for (let steps = 0; steps < 4; steps += 1) {
    await page.keyboard.press('Shift+Tab');
    if (await page.evaluate(() => document.activeElement.matches('.choice'))) break;
  }
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Details');
  await page.locator('.choice:not([aria-disabled])').first().waitFor();
  await page.keyboard.press('Enter');
  assert.equal((await stage.received.next('press')).press, CHOICES[2].action);
  stage.say({ type: 'prompt', ...prompt('p1', 0, 'May it do all of this?', CHOICES.slice(0, 2)) });
  await page.locator('.prompt', { hasText: 'all of this' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.className), 'prompt');
});

staged('a long input scrolls in its card, and nothing hides at its side', async ({ stage, open }) => {
  const line = 'word '.repeat(40) + 'x'.repeat(400);
  stage.prompts = [prompt('p1', 0, `May it?\n\n\`\`\`\n${`${line}\n`.repeat(30)}\`\`\``)];
  const page = await open();
  for (const width of [1200, 360]) {
    await page.setViewportSize({ width, height: 740 });
    const block = await prompts(page).locator('pre').evaluate((node) => ({
      taller: node.scrollHeight > node.clientHeight, wider: node.scrollWidth > node.clientWidth, height: node.clientHeight,
    }));
    assert.ok(block.taller && !block.wider && block.height < 370, `${width}: ${JSON.stringify(block)}`);
    assert.equal(await page.locator('#log').evaluate((node) => node.scrollWidth > node.clientWidth), false);
    await page.waitForFunction(() => {
      const log = document.getElementById('log');
      return log.scrollHeight - log.clientHeight - log.scrollTop < 2;
    });
    for (const button of await page.locator('.choice').all()) assert.ok(await button.isVisible());
  }
});
