// grammY, a bot library that knows nothing of us, against the Bot API server of our tests: what it takes for Telegram is
// good enough for tidegate's tests.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Bot, GrammyError, HttpError, InlineKeyboard, InputFile, InputMediaBuilder } from 'grammy';

import { PATIENCE, Queue, inTime } from './server.mjs';

const ADA = { id: 42, first_name: 'Ada', username: 'ada_l' };
/** A picture of one pixel. */
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

function program() {
  const built = fileURLToPath(new URL('../../target/debug/fake-telegram', import.meta.url));
  return path.resolve(process.env.FAKE_TELEGRAM_BIN || built);
}

/** The server, and how it is told what people do and what goes wrong. */
class Fake {
  /** A server for one test. When that is over, `end` ends whatever uses it. */
  static async start(t, end = () => {}) {
    const child = spawn(program(), { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(async () => {
      try {
        await end();
      } finally {
        child.kill('SIGKILL');
      }
    });
    const failed = once(child, 'error').then(([error]) => { throw error; });
    failed.catch(() => {});
    const lines = createInterface({ input: child.stdout });
    const [line] = await inTime(Promise.race([once(lines, 'line'), failed]), 'line from fake-telegram');
    const fake = Object.assign(new Fake(), JSON.parse(line));
    // As Telegram does it, each bot would take three seconds to stop.
    await fake.tell('throttle', { value: false });
    return fake;
  }

  async tell(command, body = {}) {
    const answer = await fetch(`${this.control}/${command}`, { method: 'POST', body: JSON.stringify(body) });
    assert.equal(answer.status, 200, `${command}: ${answer.status}`);
    return answer.json();
  }

  says(text) {
    return this.tell('says', { from: ADA, text });
  }

  sends(kind, file, more = {}) {
    return this.tell('says', { from: ADA, media: { kind, file }, ...more });
  }

  bot() {
    return new Bot(this.token, { client: { apiRoot: this.address } });
  }
}

/** A server and a bot that polls it; what it hears comes in a queue, and nothing may go wrong unseen. */
async function conversation(t, listen = () => {}) {
  let bot;
  const errors = [];
  const fake = await Fake.start(t, async () => {
    await bot.stop();
    assert.deepEqual(errors, []);
  });
  bot = fake.bot();
  const heard = new Queue();
  bot.catch((error) => { errors.push(error); });
  listen(bot, heard);
  const started = new Promise((resolve) => {
    bot.start({
      onStart: resolve,
      allowed_updates: ['message', 'edited_message', 'callback_query', 'message_reaction', 'my_chat_member'],
    }).catch((error) => { errors.push(error); });
  });
  await inTime(started, 'start of the bot');
  await fake.tell('wait_for', { method: 'getUpdates' });
  return { fake, bot, heard };
}

/** What grammY makes of a refusal. */
async function refused(promise) {
  const error = await promise.then(() => assert.fail('it was not refused'), (error) => error);
  assert.ok(error instanceof GrammyError, String(error));
  return error;
}

function say(name, body) {
  test(name, { timeout: 3 * PATIENCE }, body);
}

say('a bot hears what people write, edit, press and react with', async (t) => {
  const { fake, heard } = await conversation(t, (bot, queue) => {
    bot.command('start', (ctx) => queue.push(['command', ctx.match]));
    bot.on('message:text', (ctx) => queue.push(['text', ctx.message.text, ctx.from.username, ctx.chat.type]));
    bot.on('message:photo', (ctx) => queue.push(['photo', ctx.message.caption, ctx.message.photo.length]));
    bot.on('edited_message:text', (ctx) => queue.push(['edited', ctx.editedMessage.text, ctx.editedMessage.message_id]));
    bot.on('callback_query:data', async (ctx) => {
      await ctx.answerCallbackQuery('done');
      queue.push(['press', ctx.callbackQuery.data, ctx.callbackQuery.message.message_id]);
    });
    bot.on('message_reaction', (ctx) => queue.push(['reaction', ctx.reactions().emojiAdded]));
    bot.on('my_chat_member', (ctx) => queue.push(['member', ctx.myChatMember.new_chat_member.status]));
  });
  const next = () => heard.next('update');

  const { message_id } = await fake.says('hello');
  assert.deepEqual(await next(), ['text', 'hello', 'ada_l', 'private']);
  await fake.says('/start ahoy');
  assert.deepEqual(await next(), ['command', 'ahoy']);
  await fake.sends('photo', { name: 'a.png', base64: PIXEL.toString('base64') }, { text: 'look' });
  assert.deepEqual(await next(), ['photo', 'look', 1]);
  await fake.tell('edits', { from: ADA, message_id, text: 'goodbye' });
  assert.deepEqual(await next(), ['edited', 'goodbye', message_id]);
  await fake.tell('presses', { from: ADA, message_id, text: 'allow:abcde' });
  assert.deepEqual(await next(), ['press', 'allow:abcde', message_id]);
  await fake.tell('reacts', { from: ADA, message_id, text: '👍' });
  assert.deepEqual(await next(), ['reaction', ['👍']]);
  await fake.tell('blocks_bot', { from: ADA });
  assert.deepEqual(await next(), ['member', 'kicked']);
});

say('a reply in HTML arrives as text with entities', async (t) => {
  const { fake, bot, heard } = await conversation(t, (bot, queue) => {
    bot.on('message:text', async (ctx) => {
      const keyboard = new InlineKeyboard().text('Fine', 'fine').url('Table', 'https://example.com/tides');
      queue.push(await ctx.reply('🌊 <b>High</b> at <code>6:00</code>', {
        parse_mode: 'HTML',
        reply_markup: keyboard,
        reply_parameters: { message_id: ctx.msgId },
      }));
    });
  });
  await fake.says('when?');
  const sent = await heard.next('answer');
  assert.equal(sent.text, '🌊 High at 6:00');
  assert.deepEqual(sent.entities, [
    { type: 'bold', offset: 3, length: 4 },
    { type: 'code', offset: 11, length: 4 },
  ]);
  assert.equal(sent.reply_to_message.text, 'when?');
  assert.equal(sent.reply_markup.inline_keyboard[0].length, 2);
  assert.deepEqual(await fake.tell('hears', { chat_id: ADA.id }), sent);

  const edited = await bot.api.editMessageText(ADA.id, sent.message_id, '<i>Low</i>', { parse_mode: 'HTML' });
  assert.deepEqual(edited.entities, [{ type: 'italic', offset: 0, length: 3 }]);
  const again = await refused(bot.api.editMessageText(ADA.id, sent.message_id, 'Low', { entities: edited.entities }));
  assert.match(again.description, /^Bad Request: message is not modified/);
  await bot.api.setMessageReaction(ADA.id, sent.message_id, [{ type: 'emoji', emoji: '🔥' }]);
  await bot.api.sendChatAction(ADA.id, 'typing');
  assert.equal(await bot.api.deleteMessage(ADA.id, sent.message_id), true);
  assert.deepEqual(await fake.tell('messages', { chat_id: ADA.id }), []);
});

say('what is refused comes as an error with Telegram\'s words', async (t) => {
  const fake = await Fake.start(t);
  const bot = fake.bot();
  const stranger = await refused(bot.api.sendMessage(ADA.id, 'hello'));
  assert.deepEqual([stranger.error_code, stranger.description], [400, 'Bad Request: chat not found']);
  await fake.says('hello');
  for (const [text, expected] of [
    ['<b>open', 'Can\'t find end tag corresponding to start tag "b"'],
    ['1 <x>2', 'Unsupported start tag "x" at byte offset 2'],
    ['<b>1</i>', 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'],
  ]) {
    const error = await refused(bot.api.sendMessage(ADA.id, text, { parse_mode: 'HTML' }));
    assert.equal(error.description, `Bad Request: can't parse entities: ${expected}`);
  }
  const group = { id: -77, type: 'group', title: 'Harbour' };
  const { chat_id } = await fake.tell('migrates', { from: ADA, chat: group });
  const moved = await refused(bot.api.sendMessage(group.id, 'hello'));
  assert.equal(moved.parameters.migrate_to_chat_id, chat_id);
  await fake.tell('revoke');
  const revoked = await refused(bot.api.getMe());
  assert.deepEqual([revoked.error_code, revoked.description], [401, 'Unauthorized']);
});

say('files go both ways to the byte', async (t) => {
  const fake = await Fake.start(t);
  const bot = fake.bot();
  const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 31) % 256));
  await fake.sends('document', { name: 'tides.bin', base64: bytes.toString('base64') });
  const [{ message: { document } }] = await bot.api.getUpdates();
  assert.equal(document.file_name, 'tides.bin');
  const file = await bot.api.getFile(document.file_id);
  assert.equal(file.file_size, bytes.length);
  const answer = await fetch(`${fake.address}/file/bot${fake.token}/${file.file_path}`);
  assert.ok(bytes.equals(Buffer.from(await answer.arrayBuffer())));

  const sent = await bot.api.sendDocument(ADA.id, new InputFile(bytes, 'back.bin'), { caption: 'here you are' });
  assert.deepEqual([sent.document.file_name, sent.document.file_size, sent.caption], ['back.bin', 70_000, 'here you are']);
  const call = await fake.tell('wait_for', { method: 'sendDocument' });
  assert.ok(bytes.equals(Buffer.from(call.files[0].base64, 'base64')));
  const again = await bot.api.sendDocument(ADA.id, sent.document.file_id);
  assert.equal(again.document.file_id, sent.document.file_id);
});

say('an album is one group of messages', async (t) => {
  const fake = await Fake.start(t);
  const bot = fake.bot();
  await fake.says('hello');
  const photo = (caption) => InputMediaBuilder.photo(new InputFile(PIXEL, 'a.png'), { caption, parse_mode: 'HTML' });
  const sent = await bot.api.sendMediaGroup(ADA.id, [photo('<b>one</b>'), photo('two'), photo('three')]);
  assert.deepEqual(sent.map(({ caption }) => caption), ['one', 'two', 'three']);
  assert.equal(new Set(sent.map(({ media_group_id }) => media_group_id)).size, 1);
  const document = InputMediaBuilder.document(new InputFile(PIXEL, 'a.png'));
  const mixed = await refused(bot.api.sendMediaGroup(ADA.id, [photo('one'), document]));
  assert.equal(mixed.description, 'Bad Request: Document can\'t be mixed with other media types');
});

say('of two pollers the older one is told of the conflict', async (t) => {
  const fake = await Fake.start(t);
  const older = fake.bot();
  const conflict = refused(older.start({ drop_pending_updates: true }));
  await fake.tell('wait_for', { method: 'getUpdates' });
  const newer = fake.bot();
  const heard = new Queue();
  newer.on('message:text', (ctx) => heard.push(ctx.message.text));
  const polling = newer.start();
  const error = await inTime(conflict, 'conflict');
  assert.deepEqual([error.error_code, error.method], [409, 'getUpdates']);
  assert.match(error.description, /^Conflict: terminated by other getUpdates request/);
  await fake.says('hello');
  assert.equal(await heard.next('update'), 'hello');
  await newer.stop();
  await polling;
});

say('too many requests say when to come again, and a poller obeys', async (t) => {
  const { fake, bot, heard } = await conversation(t, (bot, queue) => {
    bot.on('message:text', (ctx) => queue.push(ctx.message.text));
  });
  await fake.says('one');
  assert.equal(await heard.next('update'), 'one');
  await fake.tell('fault', { kind: 'too_many_requests', retry_after: 5, method: 'sendMessage' });
  const error = await refused(bot.api.sendMessage(ADA.id, 'hello'));
  assert.deepEqual([error.error_code, error.parameters.retry_after], [429, 5]);
  await bot.api.sendMessage(ADA.id, 'hello');

  await fake.tell('fault', { kind: 'too_many_requests', retry_after: 1, method: 'getUpdates' });
  const since = Date.now();
  // This ends the poll that is under way; the next one is the one that is turned away.
  await fake.says('two');
  assert.equal(await heard.next('update'), 'two');
  await fake.says('three');
  assert.equal(await heard.next('update'), 'three');
  assert.ok(Date.now() - since >= 1000, 'it waited');
});

say('what is damaged on the way comes as an error of the connection', async (t) => {
  const fake = await Fake.start(t);
  const bot = fake.bot();
  for (const fault of [
    { kind: 'status', status: 502 },
    { kind: 'malformed', text: '{"ok":tru' },
    { kind: 'reset' },
  ]) {
    await fake.tell('fault', fault);
    const error = await bot.api.getMe().then(() => assert.fail(`${fault.kind} was not noticed`), (error) => error);
    assert.ok(error instanceof HttpError, `${fault.kind}: ${error}`);
  }
  assert.equal((await bot.api.getMe()).username, 'fake_telegram_bot');
});

say('a bot that begins again where it was loses nothing and gets nothing twice', async (t) => {
  const fake = await Fake.start(t);
  const heard = new Queue();
  const run = async (body) => {
    const bot = fake.bot();
    bot.on('message:text', (ctx) => heard.push(ctx.message.text));
    const polling = bot.start();
    await body();
    await bot.stop();
    await polling;
  };
  const hears = async (...texts) => {
    for (const text of texts) assert.equal(await heard.next(`“${text}”`), text);
  };
  await run(async () => {
    await fake.says('one');
    await hears('one');
  });
  assert.equal(await fake.tell('unconfirmed'), 0);
  await fake.says('two');
  await fake.says('three');
  await run(async () => {
    await hears('two', 'three');
    // The server goes away, and the bot comes back to it.
    await fake.tell('stop');
    await fake.says('four');
    await fake.tell('restart');
    await hears('four');
  });
  await run(async () => {
    await fake.says('five');
    await hears('five');
  });
  assert.deepEqual(heard.rest, []);
});
