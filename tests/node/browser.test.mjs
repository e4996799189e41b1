// The chat page in a real browser, with a session at the other end.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

import { drawChart, holdConversation } from './conversation.mjs';
import { answer, browser, connected, message, say, scene, tell, text } from './scene.mjs';
import { Server, temporaryFolder } from './server.mjs';

/** What is on the page, from top to bottom. */
function conversation(page) {
  return page.locator('.message').evaluateAll((nodes) => nodes.map((node) => ({
    id: node.dataset.id,
    from: node.dataset.from,
    text: node.querySelector('.text').innerText,
    edited: node.querySelector('.edited') !== null,
    quote: node.querySelector('.quote')?.innerText ?? null,
    file: node.querySelector('a.file')?.getAttribute('href') ?? null,
  })));
}

/** Waits until a picture is there, and gives its width; 0 where it is broken. */
function widthOf(picture) {
  return picture.evaluate(async (node) => {
    await node.decode().catch(() => {});
    return node.naturalWidth;
  });
}

scene('what is typed reaches the session, and its reply is shown', async ({ page, server }) => {
  await page.locator('#composer').fill('line one');
  await page.locator('#composer').press('Shift+Enter');
  await page.locator('#composer').pressSequentially('line <b>two</b>');
  await page.locator('#send').click();
  const { content, meta } = await server.heard();
  assert.equal(content, 'line one\nline <b>two</b>');
  assert.equal(meta.chat_id, 'web');
  await page.locator(`.message[data-id="${meta.message_id}"][data-from="user"][data-state="sent"]`).waitFor();
  assert.equal(await text(page, meta.message_id).innerText(), content);
  assert.equal(await page.locator('#composer').inputValue(), '');

  const id = await answer(page, server, 'Some **bold** and `code`:\n\n```sh\nls -l <dir>\n```\n\n- one\n- two\n\n[a link](https://example.org/)');
  assert.equal(await message(page, id).getAttribute('data-from'), 'assistant');
  const shown = text(page, id);
  assert.equal(await shown.locator('strong').innerText(), 'bold');
  assert.equal(await shown.locator('p > code').innerText(), 'code');
  assert.equal(await shown.locator('pre code').innerText(), 'ls -l <dir>');
  assert.deepEqual(await shown.locator('ul > li').allInnerTexts(), ['one', 'two']);
  const link = shown.locator('a');
  assert.equal(await link.getAttribute('href'), 'https://example.org/');
  assert.match(await link.getAttribute('rel'), /noopener/);

  const plain = await answer(page, server, 'not **bold**', { format: 'text' });
  assert.equal(await text(page, plain).innerText(), 'not **bold**');
});

scene('hostile text is only text', async ({ page, server }) => {
  const scripts = [
    '<img src=x onerror="window.caught=1">',
    '<script>window.caught=1</script>',
    '<svg onload="window.caught=1"></svg>',
    '<iframe src="javascript:parent.caught=1"></iframe>',
    '[click](javascript:window.caught=1)',
    '[click](  JaVaScRiPt:window.caught=1)',
    '[click](data:text/html,<script>window.caught=1</script>)',
    '<javascript:window.caught=1>',
    '![picture](https://example.org/track.png)',
    '[click](https://example.org/"onmouseover="window.caught=1)',
    '```"><img src=x onerror="window.caught=1">\nx\n```',
  ];
  const id = await answer(page, server, scripts.join('\n\n'));
  const shown = text(page, id);
  assert.equal(await shown.locator('img, script, svg, iframe, object, embed, style, form').count(), 0);
  const attributes = await shown.evaluate((node) => [...node.querySelectorAll('*')]
    .flatMap((element) => [...element.attributes].map(({ name }) => name)));
  assert.deepEqual(attributes.filter((name) => name.startsWith('on')), []);
  const links = await shown.locator('a').evaluateAll((nodes) => nodes.map((node) => node.protocol));
  assert.ok(links.length > 0 && links.every((protocol) => protocol === 'https:'), `links: ${links}`);
  assert.ok((await shown.innerText()).includes(scripts[0]), 'it is shown as it was written');
  for (const node of await shown.getByText('click').all()) {
    if (await node.evaluate((element) => !element.closest('a'))) await node.click();
  }
  const own = await tell(page, server, scripts[0]);
  assert.equal(await text(page, own).innerText(), scripts[0]);
  assert.equal(await text(page, own).locator('img, script').count(), 0);
  // A quote is text as well.
  await answer(page, server, 'quoting', { reply_to: own });
  assert.equal(await page.locator('.quote img').count(), 0);
  assert.equal(await page.evaluate(() => window.caught), undefined);
});

scene('an uploaded file is the same file in the inbox', async ({ t, page, server, context }) => {
  const folder = await temporaryFolder(t);
  const picture = await page.screenshot();
  const drawing = path.join(folder, 'a picture, ünï.png');
  await writeFile(drawing, picture);
  await page.locator('#file').setInputFiles(drawing);
  await page.locator('#staged .chip').waitFor();
  await say(page, 'look at this');
  const first = await server.heard();
  assert.equal(first.content, 'look at this');
  assert.deepEqual(await readFile(first.meta.file_path), picture);
  assert.equal(first.meta.image_path, first.meta.file_path);
  assert.equal(first.meta.attachment_kind, 'photo');
  assert.equal(first.meta.attachment_size, String(picture.length));
  const sent = page.locator(`.message[data-id="${first.meta.message_id}"][data-state="sent"]`);
  // Not the preview, which any picture on the disk could give, but the one that the server has.
  const shown = sent.locator('img.picture[src*="/files/"]');
  await shown.waitFor();
  assert.equal(await widthOf(shown), page.viewportSize().width);
  assert.equal(await page.locator('#staged .chip').count(), 0);

  // More than one file, one of them large: each is a message.
  const bytes = [randomBytes(3 << 20), Buffer.from('a,b\n1,2\n')];
  const files = ['noise.bin', 'table.csv'].map((name) => path.join(folder, name));
  await Promise.all(files.map((file, index) => writeFile(file, bytes[index])));
  await page.locator('#file').setInputFiles(files);
  await page.locator('#send').click();
  for (const expected of bytes) {
    const { meta } = await server.heard();
    assert.ok((await readFile(meta.file_path)).equals(expected), `${meta.attachment_name} has the same bytes`);
    assert.equal(meta.image_path, undefined);
  }
  // The first message again, as another page gets it.
  const other = await context.newPage();
  await other.goto(server.address);
  await connected(other);
  assert.equal(await widthOf(message(other, first.meta.message_id).locator('img.picture')), page.viewportSize().width);
});

scene('an uploaded file keeps its name', async ({ page, server, context }) => {
  const name = 'the report, ünï.txt';
  await page.locator('#file').setInputFiles({ name, mimeType: 'text/plain', buffer: Buffer.from('text') });
  await page.locator('#send').click();
  const { meta } = await server.heard();
  const link = message(page, meta.message_id).locator('a.file');
  await link.waitFor();
  assert.equal(await link.locator('.file-name').innerText(), name);
  assert.equal(await link.getAttribute('download'), name);
  assert.equal(meta.attachment_name, name);
  const other = await context.newPage();
  await other.goto(server.address);
  assert.equal(await message(other, meta.message_id).locator('.file-name').innerText(), name);
});

scene('a file of the session\'s can be downloaded, and can do nothing', async ({ t, page, server }) => {
  const folder = await temporaryFolder(t);
  const html = Buffer.concat([Buffer.from('<script>alert(1)</script>'), randomBytes(100_000)]);
  const chart = await page.screenshot();
  const files = [path.join(folder, 'report.html'), path.join(folder, 'chart.png')];
  await writeFile(files[0], html);
  await writeFile(files[1], chart);
  const [report, second] = await server.reply('Two files', { files });
  const link = message(page, report).locator('a.file');
  await link.waitFor();
  assert.match(await link.innerText(), /report\.html[^]*98 KB/);
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
  assert.equal(download.suggestedFilename(), 'report.html');
  assert.ok((await readFile(await download.path())).equals(html), 'the download has the same bytes');

  const picture = message(page, second).locator('img.picture');
  assert.equal(await widthOf(picture), page.viewportSize().width);

  for (const [id, bytes, disposition] of [[report, html, 'attachment'], [second, chart, 'inline']]) {
    const href = await message(page, id).locator('a.file').evaluate((node) => node.href);
    assert.ok(href.startsWith(`${server.address}/files/`), href);
    const response = await fetch(href);
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-security-policy'), /default-src 'none'.*\bsandbox(?:$|;)/);
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(response.headers.get('content-disposition'), disposition);
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(bytes), 'the answer has the same bytes');
  }
});

scene('an edit changes the text and is marked', async ({ page, server }) => {
  await tell(page, server, 'How far are you?');
  const id = await answer(page, server, 'Working: **10 %**');
  const other = await answer(page, server, 'Something else');
  assert.equal(await page.locator('.edited').count(), 0);
  await server.call('edit_message', { chat_id: 'web', message_id: id, text: 'Working: *90 %*' });
  await message(page, id).locator('.edited').waitFor();
  assert.equal(await text(page, id).innerText(), 'Working: 90 %');
  assert.equal(await text(page, id).locator('em').innerText(), '90 %');
  assert.equal(await text(page, other).innerText(), 'Something else');
  assert.equal(await page.locator('.edited').count(), 1);
  assert.equal(await page.locator('.message').count(), 3);
});

scene('after a reload everything is where it was', async ({ t, page, server }) => {
  const file = path.join(await temporaryFolder(t), 'notes.txt');
  await writeFile(file, 'notes');
  const question = await tell(page, server, 'First question');
  const reply = await answer(page, server, 'First *answer*', { reply_to: question });
  await tell(page, server, 'Second question\nwith **two** lines');
  await answer(page, server, 'With a file', { files: [file] });
  await answer(page, server, 'And another');
  await server.call('edit_message', { chat_id: 'web', message_id: reply, text: 'First *answer*, corrected' });
  await message(page, reply).locator('.edited').waitFor();

  const before = await conversation(page);
  assert.deepEqual(before.map(({ text: words }) => words), [
    'First question', 'First answer, corrected', 'Second question\nwith two lines', 'With a file', 'And another',
  ]);
  await page.reload();
  await connected(page);
  await page.locator('.message').nth(before.length - 1).waitFor();
  assert.deepEqual(await conversation(page), before);

  // Likewise with another process at the other end.
  await server.stop();
  await server.start();
  await page.reload();
  await connected(page);
  await page.locator('.message').nth(before.length - 1).waitFor();
  assert.deepEqual(await conversation(page), before);
  assert.equal(await tell(page, server, 'Third question'), (await conversation(page)).at(-1).id);
});

scene('a message typed while the server is away arrives once', async ({ page, server, watch }) => {
  await tell(page, server, 'before');
  await server.stop();
  await page.locator('#status:not([data-state="connected"])').waitFor();
  await say(page, 'meanwhile');
  const pending = page.locator('.message[data-from="user"][data-state="pending"]');
  await pending.waitFor();
  assert.equal(await pending.locator('.text').innerText(), 'meanwhile');
  const id = await pending.getAttribute('data-id');
  const { address } = server;

  await server.start();
  assert.equal(server.address, address);
  await connected(page);
  const heard = await server.heard();
  assert.equal(heard.content, 'meanwhile');
  assert.equal(heard.meta.message_id, id);
  assert.equal(heard.meta.redelivered, undefined);
  await page.locator(`.message[data-id="${id}"][data-state="sent"]`).waitFor();
  // Whatever came twice would come before this.
  await tell(page, server, 'after');
  await answer(page, server, 'welcome back');
  assert.deepEqual(
    (await conversation(page)).map(({ text: words }) => words),
    ['before', 'meanwhile', 'after', 'welcome back'],
  );
  // The browser itself tells of each attempt that failed.
  watch.forgive(/^WebSocket connection to '.*' failed: .*ERR_CONNECTION_REFUSED/);
});

scene('a message typed just before a reload is not lost', async ({ page, server, watch }) => {
  await server.stop();
  await page.locator('#status:not([data-state="connected"])').waitFor();
  await say(page, 'hold on to this');
  await page.locator('.message[data-state="pending"]').waitFor();
  await server.start();
  await page.reload();
  assert.equal((await server.heard()).content, 'hold on to this');
  await page.locator('.message[data-state="sent"]').waitFor();
  await tell(page, server, 'after');
  assert.equal(await page.locator('.message').count(), 2);
  watch.forgive(/^WebSocket connection to '.*' failed: .*ERR_CONNECTION_REFUSED/);
});

scene('two tabs show the same', async ({ page: one, server, open }) => {
  const two = await open();
  const first = await tell(one, server, 'from one');
  await message(two, first).waitFor();
  const second = await tell(two, server, 'from two');
  await message(one, second).waitFor();
  await two.locator('#file').setInputFiles({ name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('a') });
  await two.locator('#send').click();
  const third = (await server.heard()).meta.message_id;
  await message(one, third).locator('a.file').waitFor();
  await two.locator(`.message[data-id="${third}"][data-state="sent"]`).waitFor();
  const reply = await answer(one, server, 'to both');
  await message(two, reply).waitFor();
  assert.deepEqual(await conversation(two), await conversation(one));
  assert.deepEqual((await conversation(one)).map(({ id }) => id), [first, second, third, reply]);
});

scene('the page shows that the session is working, until it replies', async ({ page, server }) => {
  const working = page.locator('#working');
  assert.ok(!await working.isVisible());
  await tell(page, server, 'please do something');
  await working.waitFor({ state: 'visible' });
  await answer(page, server, 'done');
  assert.ok(!await working.isVisible());
  // However quick the reply is, the sign does not come after it: the edit would.
  for (const words of ['again', 'and again', 'and once more']) {
    await say(page, words);
    await server.heard();
    const [id] = await server.reply(`did ${words}`);
    await server.call('edit_message', { chat_id: 'web', message_id: id, text: 'done' });
    await message(page, id).locator('.edited').waitFor();
    assert.ok(!await working.isVisible(), words);
  }
});

scene('quotes lead back to what they quote', async ({ page, server }) => {
  const question = await tell(page, server, 'What is **the** answer?');
  await tell(page, server, 'No hurry');
  const reply = await answer(page, server, 'It is *42*', { reply_to: question });
  const quote = message(page, reply).locator('.quote');
  assert.match(await quote.innerText(), /^You\s+What is the answer\?$/);
  const other = await answer(page, server, 'No quote here');
  assert.equal(await message(page, other).locator('.quote').count(), 0);

  await message(page, reply).hover();
  await message(page, reply).getByRole('button', { name: 'Reply' }).click();
  await page.locator('#quoting').waitFor({ state: 'visible' });
  assert.match(await page.locator('#quoting').innerText(), /It is 42/);
  await say(page, 'Are you sure?');
  const { content, meta } = await server.heard();
  assert.equal(content, 'Are you sure?');
  assert.equal(meta.reply_to, reply);
  assert.ok(!await page.locator('#quoting').isVisible());
  assert.match(await message(page, meta.message_id).locator('.quote').innerText(), /^Session\s+It is 42$/);

  // Escape takes it back.
  await message(page, reply).hover();
  await message(page, reply).getByRole('button', { name: 'Reply' }).click();
  await page.locator('#quoting').waitFor({ state: 'visible' });
  await page.keyboard.press('Escape');
  await page.locator('#quoting').waitFor({ state: 'hidden' });
  await say(page, 'Never mind');
  assert.equal((await server.heard()).meta.reply_to, undefined);

  // With a file as well.
  await message(page, other).hover();
  await message(page, other).getByRole('button', { name: 'Reply' }).click();
  await page.locator('#file').setInputFiles({ name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('a') });
  await page.locator('#send').click();
  assert.equal((await server.heard()).meta.reply_to, other);
});

scene('the page has a policy, and these tests would see what breaks it', async ({ page, server, watch }) => {
  await page.evaluate(() => {
    document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.caught = 1' }));
    document.body.append(Object.assign(document.createElement('img'), { src: 'https://example.org/track.png' }));
    console.error('an error');
    setTimeout(() => { throw new Error('an exception'); });
  });
  await tell(page, server, 'still works');
  assert.equal(await page.evaluate(() => window.caught), undefined);
  assert.equal(watch.forgive(/^policy violation: script-src-elem inline$/), 1);
  assert.equal(watch.forgive(/^policy violation: img-src https:\/\/example\.org\/track\.png$/), 1);
  assert.equal(watch.forgive(/^request to https:\/\/example\.org\/track\.png$/), 1);
  assert.equal(watch.forgive(/^an error$/), 1);
  assert.equal(watch.forgive(/an exception/), 1);
  assert.ok(watch.forgive(/violates the following Content Security Policy directive/) > 0);
});

test('pictures of a conversation', { skip: !process.env.SCREENSHOTS && 'set SCREENSHOTS to a folder' }, async (t) => {
  const pictures = path.resolve(process.env.SCREENSHOTS);
  await mkdir(pictures, { recursive: true });
  const server = await Server.start(t);
  const chart = path.join(await temporaryFolder(t), 'import-times.png');
  await drawChart(browser, chart);
  const writer = await browser.newPage();
  await writer.goto(server.address);
  await connected(writer);
  await holdConversation({ writer, server, chart, tell, answer, message });
  await writer.close();

  for (const [width, height] of [[1200, 800], [380, 740]]) {
    for (const colorScheme of ['light', 'dark']) {
      const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce' });
      const page = await context.newPage();
      await page.goto(server.address);
      await connected(page);
      assert.ok(await widthOf(page.locator('img.picture')) > 0);
      await page.locator('.message').last().scrollIntoViewIfNeeded();
      const name = `${width > 600 ? 'wide' : 'narrow'}-${colorScheme}.png`;
      await page.screenshot({ path: path.join(pictures, name) });
      await context.close();
    }
  }
  await server.stop();
});
