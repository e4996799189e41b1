// tidegate and the official MCP SDK: what one says, the other understands.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import WebSocket from 'ws';

import { Queue, inTime, pageAddress, program, temporaryFolder } from './server.mjs';

/** A session, made of the SDK's client, and where its page is. */
async function connect(t) {
  const client = new Client({ name: 'claude-code', version: '2.1.0' });
  const folder = await temporaryFolder(t, () => client.close());
  const transport = new StdioClientTransport({
    command: program(),
    args: ['serve', 'fakechat', '--port', '0'],
    env: { ...process.env, TIDEGATE_HOME: folder },
    stderr: 'pipe',
  });
  const session = { client, transport, notifications: new Queue(), errors: [], protocolVersion: null };
  client.fallbackNotificationHandler = async (notification) => { session.notifications.push(notification); };
  client.onerror = (error) => { session.errors.push(error); };
  // The SDK tells the transport what was agreed on, and nobody else.
  transport.setProtocolVersion = (version) => { session.protocolVersion = version; };
  const address = pageAddress(transport.stderr);
  address.catch(() => {});
  await client.connect(transport);
  return Object.assign(session, { address: await address });
}

/** A page's WebSocket, past the history that it begins with. */
async function openPage(t, address) {
  const socket = new WebSocket(`${address.replace('http', 'ws')}/ws`);
  t.after(() => socket.terminate());
  const frames = new Queue();
  socket.on('message', (data) => frames.push(JSON.parse(data)));
  await inTime(once(socket, 'open'), 'WebSocket');
  assert.deepEqual(await frames.next('history'), { type: 'history', messages: [] });
  const next = async (type) => {
    let frame;
    do frame = await frames.next(`frame of type ${type}`); while (frame.type === 'typing' && type !== 'typing');
    assert.equal(frame.type, type, JSON.stringify(frame));
    return frame;
  };
  return { next, say: (message) => socket.send(JSON.stringify(message)) };
}

test('the handshake makes a channel server', async (t) => {
  const { client, protocolVersion, errors } = await connect(t);
  assert.equal(protocolVersion, '2025-11-25');
  const { experimental, tools } = client.getServerCapabilities();
  assert.deepEqual(experimental['claude/channel'], {});
  assert.ok(tools, 'the server has tools');
  assert.equal(client.getServerVersion().name, 'tidegate');
  assert.match(client.getInstructions(), /<channel .*chat_id=/);
  await client.ping();
  assert.deepEqual(errors, []);
});

test('the tools have valid schemas, which take what is right and refuse what is wrong', async (t) => {
  const { client } = await connect(t);
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map(({ name }) => name).sort(), ['edit_message', 'reply']);
  // The protocol's dialect is 2020-12; strict, so that a misspelt keyword is an error.
  const ajv = new Ajv2020({ strict: true });
  const checks = new Map(tools.map(({ name, inputSchema }) => [name, ajv.compile(inputSchema)]));
  for (const tool of tools) assert.ok(tool.description, `${tool.name} has a description`);
  const takes = (name, value) => checks.get(name)(value);
  assert.ok(takes('reply', { chat_id: 'web', text: 'hi' }));
  assert.ok(takes('reply', { chat_id: 'web', text: 'hi', reply_to: 'm1', files: ['/tmp/a'], format: 'text' }));
  assert.ok(takes('edit_message', { chat_id: 'web', message_id: 'm1', text: 'hi' }));
  // The page has one chat: it need not be named.
  assert.ok(takes('reply', { text: 'hi' }));
  assert.ok(!takes('reply', { chat_id: 'web' }));
  assert.ok(!takes('reply', { chat_id: 'web', text: 'hi', files: '/tmp/a' }));
  assert.ok(!takes('edit_message', { chat_id: 'web', text: 'hi' }));
});

test('a message comes in, a reply and an edit go out', async (t) => {
  const { client, address, notifications, errors } = await connect(t);
  const page = await openPage(t, address);
  const text = 'Grüße, 世界 🌊\n"quoted" \\ and \u2028 separated';
  page.say({ id: 'u1', text, ack: true });
  assert.deepEqual(await page.next('ack'), { type: 'ack', id: 'u1' });

  const { method, params: { content, meta } } = await notifications.next('channel message');
  assert.equal(method, 'notifications/claude/channel');
  assert.equal(content, text);
  const { ts, ...others } = meta;
  assert.deepEqual(others, { chat_id: 'web', message_id: 'u1', user: 'web', user_id: 'web' });
  assert.ok(Math.abs(Date.now() - Date.parse(ts)) < 60_000, `the time is now: ${ts}`);

  const result = await client.callTool({
    name: 'reply',
    arguments: { chat_id: meta.chat_id, text: `Same to you: ${text}`, reply_to: meta.message_id },
  });
  assert.ok(!result.isError);
  const frame = await page.next('msg');
  assert.equal(frame.from, 'assistant');
  assert.equal(frame.text, `Same to you: ${text}`);
  assert.equal(frame.replyTo, 'u1');
  assert.deepEqual(result.content, [{ type: 'text', text: `sent (id: ${frame.id})` }]);

  const edit = { chat_id: 'web', message_id: frame.id, text: 'Changed' };
  assert.ok(!(await client.callTool({ name: 'edit_message', arguments: edit })).isError);
  assert.deepEqual(await page.next('edit'), { type: 'edit', id: frame.id, text: 'Changed' });
  assert.deepEqual(errors, []);
});

test('many messages come in order, each once', async (t) => {
  const { address, notifications } = await connect(t);
  const page = await openPage(t, address);
  const ids = Array.from({ length: 200 }, (_, index) => `burst-${index}`);
  for (const id of ids) page.say({ id, text: `${id} ${'x'.repeat(2000)}`, ack: true });
  for (const id of ids) assert.equal((await notifications.next(id)).params.meta.message_id, id);
  // One that was sent before is the same message, not another.
  page.say({ id: ids[0], text: 'again', ack: true });
  page.say({ id: 'last', text: 'the end', ack: true });
  assert.equal((await notifications.next('the last one')).params.meta.message_id, 'last');
});

test('a wrong call is a result that says what is wrong', async (t) => {
  const { client, address } = await connect(t);
  const page = await openPage(t, address);
  for (const [name, callArguments, complaint] of [
    ['reply', { chat_id: 'web' }, /"text" is missing/],
    ['reply', {}, /"text" is missing/],
    ['reply', { chat_id: 'web', text: 7 }, /"text" must be a string/],
    ['reply', { chat_id: 'web', text: 'hi', colour: 'red' }, /no argument "colour"/],
    ['reply', { chat_id: 'web', text: 'hi', files: ['here.txt'] }, /not an absolute path/],
    ['reply', { chat_id: 'web', text: 'hi', files: ['/nowhere/at/all'] }, /cannot be read/],
    ['edit_message', { chat_id: 'web', message_id: 'm-none', text: 'hi' }, /no message m-none/],
  ]) {
    const result = await client.callTool({ name, arguments: callArguments });
    assert.equal(result.isError, true, JSON.stringify(callArguments));
    assert.match(result.content[0].text, complaint);
  }
  await assert.rejects(client.callTool({ name: 'shout', arguments: {} }), /there is no tool "shout"/);
  // Nothing of all this went out, and the server still works.
  await client.callTool({ name: 'reply', arguments: { chat_id: 'web', text: 'fine' } });
  assert.equal((await page.next('msg')).text, 'fine');
});

test('the program ends with its session', async (t) => {
  const { client, transport, address } = await connect(t);
  await openPage(t, address); // An open page does not keep it.
  const { pid } = transport;
  assert.ok(process.kill(pid, 0), 'it runs');
  const begin = performance.now();
  await client.close();
  const took = performance.now() - begin;
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  // After two seconds the SDK would have sent a signal.
  assert.ok(took < 1000, `it took ${Math.round(took)} ms`);
});
