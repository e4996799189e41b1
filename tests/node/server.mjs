// A tidegate under test, and a client for it that speaks MCP by hand: one JSON line at a time.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

/** Long enough for a machine that is busy with other tests; nothing waits this long unless it fails. */
export const PATIENCE = 20_000;

const CHANNEL = 'notifications/claude/channel';
const PERMISSION = `${CHANNEL}/permission`;
/** With what comes after it: half a key is none. */
const LINK = /http:\/\/127\.0\.0\.1:\d+\/#key=[0-9a-f]+(?=[^0-9a-f])/i;

/** The program under test. */
export function program() {
  const file = process.env.TIDEGATE_BIN;
  assert.ok(file, 'set TIDEGATE_BIN to the path of the tidegate program');
  return path.resolve(file);
}

/** A folder for one test. When that is over, `end` ends whatever uses the folder, and the folder goes. */
export async function temporaryFolder(test, end = () => {}) {
  const folder = await mkdtemp(path.join(tmpdir(), 'tidegate-node-'));
  test.after(async () => {
    await end();
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

/** The promise's value, or an error that says what did not come in time. */
export async function inTime(promise, what, milliseconds = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Things that come one by one, and whoever waits for the next. */
export class Queue {
  #items = [];
  #waiting = [];

  push(item) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(item);
    else this.#items.push(item);
  }

  async next(what) {
    if (this.#items.length > 0) return this.#items.shift();
    let waiting;
    const promise = new Promise((resolve) => { waiting = resolve; this.#waiting.push(resolve); });
    try {
      return await inTime(promise, what);
    } catch (error) {
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      throw error;
    }
  }

  /** What has come and nobody has taken. */
  get rest() {
    return [...this.#items];
  }
}

/** The page's address, as soon as it stands on stderr. */
export function pageAddress(stderr) {
  return inTime(new Promise((resolve, reject) => {
    let log = '';
    stderr.setEncoding('utf8');
    stderr.on('data', (text) => {
      log += text;
      const address = /fakechat: .*?(http:\/\/127\.0\.0\.1:\d+)/.exec(log)?.[1];
      if (address) resolve(address);
    });
    stderr.on('end', () => reject(new Error(`there is no address in the log:\n${log}`)));
  }), 'page address');
}

export class Server {
  #folder;
  #arguments;
  #environment;
  #child = null;
  #answers = new Map();
  #lastId = 0;
  /** Channel messages, each as `{ content, meta }`. */
  #channel = new Queue();
  /** Answers to permission requests, each as `{ request_id, behavior }`. */
  #verdicts = new Queue();
  /** Where the log of the latest start begins. */
  #begin = 0;
  /** All that came on stdout and should not have. */
  #strange = [];
  address = null;
  initialized = null;
  log = '';

  constructor(folder, channelArguments = ['fakechat'], environment = {}) {
    this.#folder = folder;
    this.#arguments = channelArguments;
    this.#environment = environment;
  }

  /** A server with a state root of its own, which ends with the test. */
  static async start(test, channelArguments) {
    const folder = await temporaryFolder(test, () => server.kill());
    const server = new Server(folder, channelArguments);
    await server.start();
    return server;
  }

  /** Starts the program, and again after `stop`: then with the same state and the same port. */
  async start() {
    assert.equal(this.#child, null, 'the server runs already');
    const port = this.address ? new URL(this.address).port : '0';
    const env = { ...process.env, TIDEGATE_HOME: this.#folder, ...this.#environment };
    delete env.FAKECHAT_PORT;
    delete env.TIDEGATE_LOG;
    const child = spawn(program(), ['serve', ...this.#arguments, '--port', port], { env });
    this.#child = child;
    this.#begin = this.log.length;
    child.stdin.on('error', () => {}); // It shows as an answer that does not come.
    child.stderr.on('data', (text) => { this.log += text; });
    createInterface({ input: child.stdout }).on('line', (line) => this.#receive(line));
    const failed = once(child, 'error').then(([error]) => { throw error; });
    failed.catch(() => {});
    this.address = await Promise.race([pageAddress(child.stderr), failed]);
    this.initialized = await this.request('initialize', {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'claude-code', version: '2.1.0' },
    });
    this.#send({ method: 'notifications/initialized' });
  }

  /** The link whose browser may answer permission prompts, as the program prints it at each start. */
  async link() {
    let found;
    while (!(found = LINK.exec(this.log.slice(this.#begin)))) {
      await inTime(once(this.#child.stderr, 'data'), 'link with a key');
    }
    return found[0];
  }

  /** Closes the program's stdin, which is how a session ends, and expects a clean end and a clean stdout. */
  async stop() {
    const child = this.#child;
    this.#child = null;
    const ended = once(child, 'close');
    child.stdin.end();
    try {
      const [code, signal] = await inTime(ended, 'end of the server', 2000);
      assert.deepEqual({ code, signal }, { code: 0, signal: null }, this.log);
    } finally {
      child.kill('SIGKILL');
    }
    assert.deepEqual(this.#strange, []);
    assert.doesNotMatch(this.log, /\bERROR\b|panicked/);
  }

  /** Whatever a failed test has left. */
  async kill() {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
  }

  async request(method, params) {
    const id = ++this.#lastId;
    const answer = new Promise((resolve) => { this.#answers.set(id, resolve); });
    this.#send({ id, method, params });
    const { result, error } = await inTime(answer, `answer to ${method}`);
    assert.equal(error, undefined, `${method}: ${JSON.stringify(error)}`);
    return result;
  }

  /** Calls a tool that is expected to work; gives the text of its result. */
  async call(name, callArguments) {
    const result = await this.request('tools/call', { name, arguments: callArguments });
    const text = result.content.map((block) => block.text).join('\n');
    assert.ok(!result.isError, text);
    return text;
  }

  /** Replies on the page; gives the ids of the new messages. */
  async reply(text, more = {}) {
    const said = await this.call('reply', { chat_id: 'web', text, ...more });
    const [, ids] = /\(ids?: (.+)\)$/.exec(said) ?? assert.fail(`no id in ${said}`);
    return ids.split(', ');
  }

  /** Asks for a permission, as a session does before it uses a tool. */
  requestPermission(request) {
    this.#send({ method: `${PERMISSION}_request`, params: request });
  }

  /** The next answer to a permission request. */
  verdict() {
    return this.#verdicts.next('verdict');
  }

  /** The answers that came and that nobody has taken. */
  get unheededVerdicts() {
    return this.#verdicts.rest;
  }

  /** The next channel message that nobody has taken yet. */
  heard() {
    return this.#channel.next('channel message');
  }

  /** The channel messages that came and that nobody has taken. */
  get unheard() {
    return this.#channel.rest;
  }

  #send(message) {
    this.#child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }

  #receive(line) {
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      this.#strange.push(line);
      return;
    }
    if (message.method === CHANNEL) this.#channel.push(message.params);
    else if (message.method === PERMISSION) this.#verdicts.push(message.params);
    else if (this.#answers.has(message.id)) {
      this.#answers.get(message.id)(message);
      this.#answers.delete(message.id);
    } else this.#strange.push(line);
  }
}
