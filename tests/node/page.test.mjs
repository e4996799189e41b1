// What the chat page offers beyond carrying messages, and for whom.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

import { answer, connected, message, say, scene, tell, text } from './scene.mjs';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const REQUEST = {
  request_id: 'abcde',
  tool_name: 'Bash',
  description: 'List the files of the build folder',
  input_preview: '{"command":"ls build"}',
};

function waiting(page) {
  return page.locator('#waiting');
}

/** Has the page's notifications recorded in `window.shown` instead; the page has the focus while `window.focused` is true. */
async function recordNotifications({ page, server, context }, { refused = false } = {}) {
  await context.grantPermissions(['notifications'], { origin: server.address });
  await page.addInitScript((throws) => {
    window.shown = [];
    window.Notification = class extends EventTarget {
      static permission = 'granted';
      static requestPermission = async () => 'granted';
      constructor(title, { body }) {
        super();
        window.shown.push(`${title}: ${body}`);
        if (throws) throw new TypeError('Illegal constructor.');
      }
      close() {}
    };
    document.hasFocus = () => window.focused ?? false;
  }, refused);
  await page.reload();
  await connected(page);
}

// ---- Permission prompts that this page may not show ----

scene('a page without the key says that a prompt waits, and nothing of it', async ({ page, server, open }) => {
  assert.ok(!await waiting(page).isVisible());
  const owner = await open(await server.link());
  server.requestPermission(REQUEST);
  await waiting(page).waitFor();
  assert.equal(
    (await waiting(page).innerText()).trim(),
    'A permission prompt waits. To answer here, open the link with the key: tidegate open fakechat in a terminal shows it.',
  );
  assert.doesNotMatch(await page.content(), /List the files|ls build/);
  assert.ok(!await waiting(owner).isVisible());
  // One that comes later learns it at once.
  const late = await open();
  await waiting(late).waitFor();
  server.requestPermission({ ...REQUEST, request_id: 'abcdf' });
  await waiting(page).getByText('2 permission prompts wait.').waitFor();
  for (const which of [0, 1]) {
    await owner.locator('.prompt:not(.decided) .choice.negative').first().click();
    assert.equal((await server.verdict()).behavior, 'deny', which);
  }
  for (const each of [page, late]) await waiting(each).waitFor({ state: 'hidden' });
});

scene('each prompt is announced once', async ({ page, server, context, open }) => {
  // As on phones, where only service workers may show notifications.
  await recordNotifications({ page, server, context }, { refused: true });
  await page.locator('#alerts').click();
  const owner = await open(await server.link());
  server.requestPermission(REQUEST);
  await waiting(page).getByText('A permission prompt waits.').waitFor();
  server.requestPermission({ ...REQUEST, request_id: 'abcdf' });
  await waiting(page).getByText('2 permission prompts wait.').waitFor();
  await page.evaluate(() => { const { now } = Date; Date.now = () => now() + 60_000; });
  await owner.locator('.prompt:not(.decided) .choice.negative').first().click();
  await server.verdict();
  await waiting(page).getByText('A permission prompt waits.').waitFor();
  // The second came within a moment of the first.
  assert.deepEqual(await page.evaluate(() => window.shown), ['A permission prompt waits: Open the page with its link to answer it.']);
});

scene('a dismissed notice comes back with the next prompt', async ({ page, server, open }) => {
  const owner = await open(await server.link());
  server.requestPermission(REQUEST);
  await waiting(page).waitFor();
  await page.locator('#waiting-close').click();
  await waiting(page).waitFor({ state: 'hidden' });
  server.requestPermission({ ...REQUEST, request_id: 'abcdf' });
  await waiting(page).waitFor();
  await owner.locator('.prompt').nth(1).waitFor();
});

scene('an open page learns at once that its link is no longer good', async ({ server, open, watch }) => {
  const page = await open(await server.link());
  await page.locator('#owner').waitFor();
  await server.stop();
  await page.locator('#status:not([data-state="connected"])').waitFor();
  await server.start();
  await connected(page);
  await waiting(page).getByText('The link of this page is no longer good').waitFor();
  await page.goto(await server.link());
  await page.locator('#owner').waitFor();
  await waiting(page).waitFor({ state: 'hidden' });
  watch.forgive(/^WebSocket connection to '.*' failed: .*ERR_CONNECTION_REFUSED/);
});

// ---- Prompts that are settled ----

scene('a settled prompt keeps what was asked, folded, with who and when', async ({ server, open }) => {
  const page = await open(await server.link());
  const card = page.locator('.prompt');
  server.requestPermission(REQUEST);
  await card.locator('.choice.positive').click();
  assert.equal((await server.verdict()).behavior, 'allow');
  await page.locator('.prompt.decided').waitFor();
  assert.equal(await card.locator('p').first().innerText(), '✅ Bash was allowed by you.');
  assert.equal(await card.locator('time').count(), 1);
  const asked = card.locator('details');
  assert.ok(!await asked.locator('pre').isVisible());
  await asked.locator('summary').click();
  assert.equal(await asked.locator('pre').innerText(), `${REQUEST.description}\n\n${REQUEST.input_preview}`);
  assert.equal(await card.locator('.language').innerText(), '');
  await page.reload();
  await page.locator('.prompt.decided', { hasText: 'allowed by you' }).waitFor();
});

// ---- Messages of one's own ----

scene('the last message can be edited, and reaches the session again', async ({ page, server, open }) => {
  const other = await open();
  const first = await tell(page, server, 'Say *helo*');
  await answer(page, server, 'Helo');
  const id = await tell(page, server, 'Say *hallo*');
  assert.equal(await text(page, id).locator('em').innerText(), 'hallo');
  const edits = page.locator('.edit:visible');
  assert.equal(await edits.count(), 1, 'only the last one');
  await page.locator('#composer').focus();
  await page.keyboard.press('ArrowUp');
  assert.equal(await page.locator('#composer').inputValue(), 'Say *hallo*');
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('#composer').inputValue(), '');
  await message(page, id).hover();
  await edits.click();
  await say(page, 'Say *hello*');
  const heard = await server.heard();
  assert.equal(heard.content, 'Say *hello*');
  assert.equal(heard.meta.message_id, id);
  assert.equal(heard.meta.edited, 'true');
  for (const each of [page, other]) {
    await message(each, id).locator('.edited').waitFor();
    assert.equal(await text(each, id).innerText(), 'Say hello');
  }
  for (const each of [page, other]) {
    await each.reload();
    await message(each, id).locator('.edited').waitFor();
    assert.equal(await each.locator('.message').count(), 3);
    assert.equal(await text(each, id).innerText(), 'Say hello');
    assert.equal(await text(each, first).innerText(), 'Say helo');
  }
});

scene('an edit that finds no server is sent when there is one', async ({ page, server, watch }) => {
  const id = await tell(page, server, 'first');
  await server.stop();
  await page.locator('#status:not([data-state="connected"])').waitFor();
  await page.locator('#composer').focus();
  await page.keyboard.press('ArrowUp');
  await say(page, 'second');
  await message(page, id).locator('.waiting').waitFor();
  await server.start();
  const heard = await server.heard();
  assert.deepEqual([heard.content, heard.meta.message_id, heard.meta.edited], ['second', id, 'true']);
  await page.locator(`.message[data-id="${id}"][data-state="sent"]`).waitFor();
  assert.equal(await text(page, id).innerText(), 'second');
  watch.forgive(/^WebSocket connection to '.*' failed: .*ERR_CONNECTION_REFUSED/);
});

// ---- Texts ----

scene('entities are characters, and formulas stay as they are', async ({ page, server }) => {
  for (const [written, shown] of [
    ['Q &amp; A: 1 &lt; 2 &#8594; &#x2713;', 'Q & A: 1 < 2 → ✓'],
    ['AT&T, &nosuch; &#0; &#1114112; &', 'AT&T, &nosuch; &#0; &#1114112; &'],
    ['`&amp;` stays', '&amp; stays'],
    ['$a_1 * b_1 * c$ and $$\\sum_{i} x_i^2$$', '$a_1 * b_1 * c$ and $$\\sum_{i} x_i^2$$'],
    ['\\(a_1 * b_1 * c\\) and \\[x^2\\]', '\\(a_1 * b_1 * c\\) and \\[x^2\\]'],
    ['$5 *or* $6, \\[x\\] and \\(y\\)', '$5 or $6, [x] and (y)'],
    ['&lt;img src=x onerror=alert(1)&gt;', '<img src=x onerror=alert(1)>'],
  ]) {
    const id = await answer(page, server, written);
    assert.equal(await text(page, id).innerText(), shown);
    assert.equal(await text(page, id).locator('img').count(), 0);
  }
});

scene('code has colours, and its text is not changed', async ({ page, server }) => {
  const samples = {
    rust: "fn main<'a>() -> &'a str { // say\n    let x = 'c'; \"te\\\"xt\" }",
    python: 'def f(x):  # say\n    return """a "b" c""" + str(0x1F)',
    sql: "SELECT name FROM people WHERE age > 4 -- say\n  AND name = 'Bob'",
    json: '{"a": [1, true, null, "b"]}',
    yaml: 'name: x # say\nlist:\n  - 1',
    html: '<!-- say --><a href="x">y</a>',
    css: '.a { color: #fff; } /* say */',
    diff: '@@ -1 +1 @@\n-old\n+new\n same',
    bash: 'for x in $#; do echo "$x" # say\ndone',
    ts: 'const x: number = `a${1}b`; /* say */',
    brainfuck: '++>[-]<',
    '': 'plain "text" // no',
  };
  for (const [language, code] of Object.entries(samples)) {
    const id = await answer(page, server, `\`\`\`${language}\n${code}\n\`\`\``);
    const block = text(page, id).locator('pre');
    assert.equal(await block.evaluate((node) => node.textContent), code, language);
    const tokens = await block.locator('span').count();
    assert.equal(tokens > 0, !['brainfuck', ''].includes(language), `${language}: ${tokens}`);
  }
  const crowd = await answer(page, server, `\`\`\`js\n${'1 '.repeat(20_000)}\n\`\`\``);
  assert.equal(await text(page, crowd).locator('pre span').count(), 5000);
  const id = await answer(page, server, '```rust\nlet x = "unclosed\n```');
  assert.deepEqual(await text(page, id).locator('pre span').evaluateAll((nodes) => nodes.map((node) => [node.className, node.textContent])), [
    ['token-keyword', 'let'], ['token-string', '"unclosed'],
  ]);
});

scene('no code makes the page slow', async ({ page, server }) => {
  for (const part of ['/*', '"', "'", '`', '#', '<!--', '"""', '--', '$', '&', '\\(', '\\[', '$$', 'a', 'a-', '1', '1 ', ' ', ' :', '_', '.', '@', '=', '\\', '1a']) {
    const code = part.repeat(Math.floor(49_000 / part.length));
    for (const language of ['js', 'python', 'sql', 'html', 'css', 'json', null]) {
      const written = language ? `\`\`\`${language}\n${code}\n\`\`\`` : code;
      const took = await page.evaluate(async (markdown) => {
        const { renderMarkdown } = await import('/markdown.js');
        const start = performance.now();
        renderMarkdown(markdown);
        return performance.now() - start;
      }, written);
      // A quadratic one takes minutes.
      assert.ok(took < 3000, `${language} of ${part}: ${took} ms`);
    }
  }
  assert.deepEqual(server.unheard, []);
});

// ---- Finding and keeping ----

scene('the conversation can be searched', async ({ page, server }) => {
  await answer(page, server, 'The **gate** is open.');
  await answer(page, server, 'A **ga**te, split over two nodes.\n\n```\nlet gate = 1;\n```');
  await tell(page, server, 'No more (gates)?');
  const hits = page.locator('#hits');
  await page.locator('#find').click();
  await page.keyboard.type('GATE');
  assert.equal(await hits.innerText(), '4 of 4');
  await page.keyboard.press('Shift+Enter');
  assert.equal(await hits.innerText(), '1 of 4');
  await page.keyboard.press('Enter');
  assert.equal(await hits.innerText(), '4 of 4');
  await page.locator('#older').click();
  assert.equal(await hits.innerText(), '3 of 4');
  await page.locator('#needle').fill('(gates)?');
  assert.equal(await hits.innerText(), '1 of 1');
  await page.locator('#needle').fill('nothing of the kind');
  assert.equal(await hits.innerText(), 'Not found');
  await page.locator('#needle').press('Escape');
  assert.ok(!await page.locator('#search').isVisible());
  assert.equal(await page.evaluate(() => document.activeElement.id), 'composer');
});

scene('the conversation can be saved as Markdown', async ({ page, server }) => {
  await tell(page, server, 'Is it *done*?');
  await answer(page, server, 'Yes:\n\n```sh\nls\n```');
  const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#save').click()]);
  assert.match(download.suggestedFilename(), /^fakechat-\d{4}-\d\d-\d\d\.md$/);
  const saved = await readFile(await download.path(), 'utf8');
  assert.match(saved, /^# Conversation on fakechat\n\nSaved on [^\n]+\.\n\n## You, [^\n]+\n\n> Is it \*done\*\?\n\n## Session, [^\n]+\n\n> Yes:\n> \n> ```sh\n> ls\n> ```\n$/);
});

scene('notifications come when the person looks elsewhere, and wants them', async ({ page, server, context }) => {
  await recordNotifications({ page, server, context });
  const shown = () => page.evaluate(() => window.shown);
  await answer(page, server, 'unasked');
  assert.deepEqual(await shown(), []);
  await page.locator('#alerts').click();
  await page.locator('#alerts[aria-pressed="true"]').waitFor();
  await page.evaluate(() => { window.focused = true; });
  await answer(page, server, 'while looking');
  assert.deepEqual(await shown(), []);
  await page.evaluate(() => { window.focused = false; });
  await answer(page, server, 'It is **done**');
  assert.deepEqual(await shown(), ['Session: It is done']);
  // It stays so after a reload.
  await page.reload();
  await connected(page);
  assert.equal(await page.locator('#alerts').getAttribute('aria-pressed'), 'true');
  await page.locator('#alerts').click();
  assert.equal(await page.locator('#alerts').getAttribute('aria-pressed'), 'false');
});

// ---- For everybody ----

scene('the page has no barrier that axe finds, in any width and colour', async ({ page, server, open }) => {
  const owner = await open(await server.link());
  await tell(page, server, 'Please *look* at `this`:\n\n> quote\n\n- item\n\n```sh\nls\n```\n\n| a |\n|---|\n| 1 |');
  await answer(page, server, '# Title\n\n```rust\n// say\nlet x = "1" + 2;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] done\n\n> quote');
  server.requestPermission(REQUEST);
  await owner.locator('.prompt').waitFor();
  await waiting(page).waitFor();
  await page.locator('#find').click();
  await page.locator('#needle').fill('look');
  for (const [name, each] of Object.entries({ page, owner })) {
    for (const colorScheme of ['light', 'dark']) {
      for (const width of [1280, 360]) {
        await each.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await each.setViewportSize({ width, height: 760 });
        const found = await check(each);
        assert.deepEqual(found, [], `${name}, ${colorScheme}, ${width}`);
        const wide = await each.evaluate(() => document.documentElement.scrollWidth > innerWidth);
        assert.ok(!wide, `${name} is wider than ${width}`);
      }
    }
  }
  await owner.locator('.choice.negative').click();
  await server.verdict();
  await owner.locator('.prompt.decided summary').click();
  assert.deepEqual(await check(owner), []);
});

/** The page's own policy lets no foreign script in; the inspector may. */
async function check(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Runtime.evaluate', { expression: AXE });
  const { result } = await session.send('Runtime.evaluate', {
    expression: `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => \`\${id}: \${nodes.map(({ html, failureSummary }) => html.slice(0, 120) + failureSummary).join(' | ')}\`))`,
    awaitPromise: true,
    returnByValue: true,
  });
  await session.detach();
  return result.value;
}

scene('the page weighs less than 150 KB', async ({ page, server }) => {
  const files = await page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name));
  let weight = (await (await fetch(server.address)).text()).length;
  for (const file of files.filter((name) => /\.(js|css|svg)$/.test(name))) weight += (await (await fetch(file)).arrayBuffer()).byteLength;
  assert.ok(files.length > 20 && weight < 150_000, `${files.length} files, ${weight} bytes`);
});
