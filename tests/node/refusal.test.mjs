// The chat page while Claude Code has not said that its session takes messages, and after it has refused.

import assert from 'node:assert/strict';
import { appendFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

import { browser } from './scene.mjs';
import { PATIENCE, Server, temporaryFolder } from './server.mjs';

/** What Claude Code says about a server, in its own log of it. */
class ClientLog {
  #file;

  constructor(caches) {
    const project = process.cwd().replace(/[^a-zA-Z0-9]/g, '-');
    const folder = path.join(caches, 'claude-cli-nodejs', project, 'mcp-logs-fakechat');
    this.#file = path.join(folder, '2026-11-24T10-00-00-000Z.jsonl');
  }

  async say(version, verdict) {
    await mkdir(path.dirname(this.#file), { recursive: true });
    const capabilities = JSON.stringify({ serverVersion: { name: 'tidegate', version } });
    const lines = [`Connection established with capabilities: ${capabilities}`, verdict];
    const entry = (debug) => ({ debug, timestamp: new Date(Date.now() + 1000).toISOString(), sessionId: 'session' });
    await appendFile(this.#file, lines.map((line) => `${JSON.stringify(entry(line))}\n`).join(''));
  }
}

/** A page of a session that is starting, and the log in which the session's client says how it goes on. */
async function scene(t) {
  const folder = await temporaryFolder(t, () => server.kill());
  const caches = path.join(folder, 'caches');
  const environment = { CLAUDE_CODE_SESSION_ID: 'session', XDG_CACHE_HOME: caches };
  const server = new Server(path.join(folder, 'state'), ['fakechat'], environment);
  await server.start();
  const { version } = server.initialized.serverInfo;
  const log = new ClientLog(caches);
  const context = await browser.newContext();
  t.after(() => context.close());
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  await page.goto(server.address);
  return { page, context, log, server, version, refusal: page.locator('#refusal') };
}

test('a page says that nobody listens and why, and sends what was written once somebody does', async (t) => {
  const { page, context, log, server, version, refusal } = await scene(t);
  await refusal.getByText('The session is starting').waitFor();

  await log.say(version, 'Channel notifications skipped: channels feature is not currently available');
  await refusal.getByText('channels feature is not currently available').waitFor();
  assert.equal(await page.locator('#status-text').innerText(), 'Nobody listens');
  assert.equal(await page.locator('.empty').isVisible(), false);
  if (process.env.SCREENSHOTS) {
    await mkdir(process.env.SCREENSHOTS, { recursive: true });
    await page.screenshot({ path: path.join(process.env.SCREENSHOTS, 'refusal.png') });
  }
  await page.locator('#composer').fill('is anybody there?');
  await page.locator('#send').click();
  const pending = page.locator('.message[data-state="pending"]');
  await pending.waitFor();
  // What was written is not hidden behind the reason why nobody reads it.
  const [notice, written] = await Promise.all([refusal.boundingBox(), pending.boundingBox()]);
  assert.ok(notice.y + notice.height <= written.y, JSON.stringify({ notice, written }));

  // It is told of the refusal, in case that it listens after all.
  assert.equal((await server.heard()).meta.notice, 'fakechat');
  await log.say(version, 'Channel notifications registered');
  await page.locator('.message[data-state="sent"]').waitFor();
  await refusal.waitFor({ state: 'hidden' });
  await page.locator('#status-text').getByText('Connected').waitFor();
  assert.equal((await server.heard()).content, 'is anybody there?');
  await context.close();
  await server.stop();
});

test('what a person is to type is marked up, and nothing else that a reason has in it', async (t) => {
  const { page, context, log, server, version, refusal } = await scene(t);
  await log.say(version, 'Channel notifications skipped: server <b>fakechat</b> not in --channels list for this session');
  const command = 'claude --dangerously-load-development-channels server:fakechat';
  await refusal.locator('code').getByText(command, { exact: true }).waitFor();
  const reason = page.locator('#refusal-reason');
  const text = await reason.innerText();
  assert.ok(!text.includes('`') && text.includes('server <b>fakechat</b> not in'), text);
  assert.equal(await reason.locator(':not(code)').count(), 0);
  if (process.env.SCREENSHOTS) {
    await page.screenshot({ path: path.join(process.env.SCREENSHOTS, 'refusal-code.png') });
  }
  await context.close();
  await server.stop();
});
