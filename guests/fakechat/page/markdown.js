// Markdown to DOM nodes. Nothing here ever parses HTML, so no text can become markup, and every loop moves
// forward through the text or works on a bounded stack, so no text can make it slow.

/** Containers (quotes, lists) nested deeper than this are shown as the text they are. */
const MAX_DEPTH = 12;
/** Open emphasis and brackets that are remembered; also bounds how deep inline elements nest. */
const MAX_OPEN = 24;
/** Marks in one paragraph: honest text stays far below, and each mark costs a node. */
const MAX_MARKS = 4000;
const MAX_COLUMNS = 64;
const MAX_TARGET = 2000;

const SAFE_PROTOCOLS = new Set(['http:', 'https:', 'mailto:']);
const LIST_MARK = /^( *)([-*+]|\d{1,9}[.)])(?: +|$)/;
const TASK_MARK = /^\[([ xX])\] /;
const WEB_ADDRESS = /https?:\/\/[^\s<>[\]"`|]+/g;

export function renderMarkdown(text) {
  const fragment = document.createDocumentFragment();
  const lines = text.replaceAll('\r\n', '\n').replaceAll('\t', '    ').split('\n');
  appendBlocks(fragment, lines, 0);
  return fragment;
}

/** Text as it is, with its web addresses clickable. */
export function renderPlain(text) {
  const fragment = document.createDocumentFragment();
  let done = 0;
  for (const match of text.matchAll(WEB_ADDRESS)) {
    const address = withoutTail(match[0]);
    const url = safeUrl(address);
    if (!url) continue;
    fragment.append(text.slice(done, match.index), anchor(url, address));
    done = match.index + address.length;
  }
  fragment.append(text.slice(done));
  return fragment;
}

// ---- Blocks ----

function appendBlocks(parent, lines, depth) {
  let at = 0;
  while (at < lines.length) {
    if (isBlank(lines[at])) at += 1;
    else at = appendBlock(parent, lines, at, depth);
  }
}

/** Appends the block that starts at a line; says where the next one starts. */
function appendBlock(parent, lines, at, depth) {
  const line = lines[at];
  const fence = fenceOf(line);
  if (fence) return appendCode(parent, lines, at, fence);
  const level = headingLevel(line);
  if (level) {
    const heading = document.createElement(`h${level}`);
    appendInline(heading, headingText(line, level));
    parent.append(heading);
    return at + 1;
  }
  if (isRule(line)) {
    parent.append(document.createElement('hr'));
    return at + 1;
  }
  if (depth < MAX_DEPTH) {
    if (isQuote(line)) return appendQuote(parent, lines, at, depth);
    if (LIST_MARK.test(line)) return appendList(parent, lines, at, depth);
  }
  if (startsTable(lines, at)) return appendTable(parent, lines, at);
  return appendParagraph(parent, lines, at, depth);
}

function appendParagraph(parent, lines, at, depth) {
  let end = at + 1;
  while (end < lines.length && !isBlank(lines[end]) && !interrupts(lines, end, depth)) end += 1;
  const paragraph = document.createElement('p');
  appendInline(paragraph, lines.slice(at, end).map((line) => line.trim()).join('\n'));
  parent.append(paragraph);
  return end;
}

function interrupts(lines, at, depth) {
  const line = lines[at];
  if (fenceOf(line) || headingLevel(line) || isRule(line) || startsTable(lines, at)) return true;
  if (depth >= MAX_DEPTH) return false;
  // "… in\n2024. That year" is no list: an ordered one in mid-paragraph has to begin with 1.
  const mark = LIST_MARK.exec(line)?.[2];
  return isQuote(line) || (mark !== undefined && (mark.length === 1 || parseInt(mark, 10) === 1));
}

function fenceOf(line) {
  const start = indentOf(line);
  const mark = line[start];
  if (mark !== '`' && mark !== '~') return null;
  const length = runLength(line, start);
  const info = line.slice(start + length).trim();
  if (length < 3 || (mark === '`' && info.includes('`'))) return null;
  return { mark, length, indent: start, language: info.split(/\s/, 1)[0].slice(0, 40) };
}

function appendCode(parent, lines, at, fence) {
  const code = [];
  let next = at + 1;
  for (; next < lines.length && !closes(lines[next], fence); next += 1) {
    code.push(lines[next].slice(Math.min(indentOf(lines[next]), fence.indent)));
  }
  parent.append(codeBlock(code.join('\n'), fence.language));
  return next + 1;
}

function closes(line, fence) {
  const start = indentOf(line);
  if (line[start] !== fence.mark) return false;
  const length = runLength(line, start);
  return length >= fence.length && isBlank(line.slice(start + length));
}

function codeBlock(text, language) {
  const block = make('div', 'code');
  const head = make('div', 'code-head');
  const copy = make('button', 'copy', 'Copy');
  const code = make('code', '', text);
  const pre = make('pre');
  copy.type = 'button';
  copy.addEventListener('click', () => copyText(copy, text));
  // A long line scrolls sideways, which has to work from the keyboard as well.
  pre.tabIndex = 0;
  pre.append(code);
  head.append(make('span', 'language', language || 'text'), copy);
  block.append(head, pre);
  return block;
}

async function copyText(button, text) {
  const said = await navigator.clipboard.writeText(text).then(() => 'Copied', () => 'Not allowed');
  button.textContent = said;
  setTimeout(() => { button.textContent = 'Copy'; }, 1600);
}

function headingLevel(line) {
  const start = indentOf(line);
  if (start > 3 || line[start] !== '#') return 0;
  const level = runLength(line, start);
  const after = line[start + level];
  return level <= 6 && (after === undefined || after === ' ') ? level : 0;
}

function headingText(line, level) {
  const text = line.trim().slice(level).trim();
  let end = text.length;
  while (text[end - 1] === '#') end -= 1;
  // "# C#" keeps its sharp; "# Title #" loses the closing mark.
  return end === 0 || text[end - 1] === ' ' ? text.slice(0, end).trim() : text;
}

function isRule(line) {
  const bare = line.replaceAll(' ', '');
  return bare.length >= 3 && '-*_'.includes(bare[0]) && runLength(bare, 0) === bare.length;
}

function isQuote(line) {
  return line[indentOf(line)] === '>';
}

function appendQuote(parent, lines, at, depth) {
  const inner = [];
  let next = at;
  for (; next < lines.length && isQuote(lines[next]); next += 1) {
    const text = lines[next].slice(indentOf(lines[next]) + 1);
    inner.push(text[0] === ' ' ? text.slice(1) : text);
  }
  const quote = document.createElement('blockquote');
  appendBlocks(quote, inner, depth + 1);
  parent.append(quote);
  return next;
}

function appendList(parent, lines, at, depth) {
  const kind = listKind(LIST_MARK.exec(lines[at]));
  const list = document.createElement(kind === 'ordered' ? 'ol' : 'ul');
  if (kind === 'ordered') list.start = parseInt(lines[at].trimStart(), 10);
  let next = at;
  while (next < lines.length) {
    const mark = LIST_MARK.exec(lines[next]);
    if (!mark || listKind(mark) !== kind || isRule(lines[next])) break;
    next = appendItem(list, lines, next, mark, depth);
  }
  parent.append(list);
  return next;
}

function listKind(mark) {
  return mark[2].length === 1 ? mark[2] : 'ordered';
}

function appendItem(list, lines, at, mark, depth) {
  const outer = mark[1].length;
  const inner = outer + mark[2].length + 1;
  const first = lines[at].slice(mark[0].length);
  const task = TASK_MARK.exec(first);
  const body = [task ? first.slice(task[0].length) : first];
  let next = at + 1;
  while (next < lines.length) {
    let full = next;
    while (full < lines.length && isBlank(lines[full])) full += 1;
    if (full === lines.length) { next = full; break; }
    const indent = indentOf(lines[full]);
    // Two spaces are enough for what belongs to an item: many writers use them below "1." too.
    const belongs = indent >= outer + 2;
    const continues = full === next && !interrupts(lines, full, 0) && !LIST_MARK.test(lines[full]);
    if (!belongs && !continues) { next = full; break; }
    for (; next < full; next += 1) body.push('');
    body.push(lines[full].slice(Math.min(indent, inner)));
    next = full + 1;
  }
  const item = document.createElement('li');
  appendBlocks(item, body, depth + 1);
  if (task) addTaskBox(item, task[1] !== ' ');
  list.append(item);
  return next;
}

function addTaskBox(item, done) {
  const box = document.createElement('input');
  box.type = 'checkbox';
  box.disabled = true;
  box.checked = done;
  box.setAttribute('aria-label', done ? 'Done' : 'To do');
  item.className = 'task';
  (item.firstElementChild?.tagName === 'P' ? item.firstElementChild : item).prepend(box);
}

function startsTable(lines, at) {
  if (!lines[at].includes('|') || !lines[at + 1]?.includes('-')) return false;
  const rule = cellsOf(lines[at + 1]);
  return rule.length <= MAX_COLUMNS && rule.length === cellsOf(lines[at]).length
    && rule.every((cell) => /^:?-+:?$/.test(cell));
}

function appendTable(parent, lines, at) {
  const sides = cellsOf(lines[at + 1]).map((cell) => {
    const end = cell.endsWith(':');
    if (cell.startsWith(':') && end) return 'center';
    return end ? 'right' : '';
  });
  const table = document.createElement('table');
  table.createTHead().append(tableRow('th', cellsOf(lines[at]), sides));
  const body = table.createTBody();
  let next = at + 2;
  for (; next < lines.length && lines[next].includes('|'); next += 1) {
    body.append(tableRow('td', cellsOf(lines[next]).slice(0, sides.length), sides));
  }
  const frame = make('div', 'table');
  frame.tabIndex = 0;
  frame.append(table);
  parent.append(frame);
  return next;
}

function tableRow(tag, cells, sides) {
  const row = document.createElement('tr');
  cells.forEach((cell, column) => {
    const element = make(tag, sides[column]);
    appendInline(element, cell);
    row.append(element);
  });
  return row;
}

function cellsOf(line) {
  const text = line.trim();
  const cells = [''];
  for (let at = text[0] === '|' ? 1 : 0; at < text.length; at += 1) {
    if (text[at] === '\\' && text[at + 1] === '|') { cells[cells.length - 1] += '|'; at += 1; }
    else if (text[at] !== '|') cells[cells.length - 1] += text[at];
    else if (at < text.length - 1) cells.push('');
  }
  return cells.map((cell) => cell.trim());
}

// ---- Inline ----

/** One pass: what is finished stands in `parent`; what is still open waits on a short stack. */
function appendInline(parent, text) {
  const special = /[\\`*_~[\]!<\n]|https?:\/\//g;
  const ticks = tickRuns(text);
  const open = [];
  let done = 0;
  let marks = 0;
  for (let match; marks < MAX_MARKS && (match = special.exec(text)); special.lastIndex = done) {
    const at = match.index;
    if (at > done) parent.append(text.slice(done, at));
    done = at;
    marks += 1;
    if (match[0].length > 1) done = appendAddress(parent, text, at);
    else done = INLINE[match[0]](parent, text, at, open, ticks);
  }
  parent.append(text.slice(done));
}

/** By first character: append what starts at `at`, say where to go on. */
const INLINE = {
  '\\': (parent, text, at) => {
    if (text[at + 1] === '\n') return at + 1;
    if (!isPunctuation(text[at + 1])) return literal(parent, '\\', at);
    return literal(parent, text[at + 1], at + 1);
  },
  '\n': (parent, _text, at) => {
    parent.append(document.createElement('br'));
    return at + 1;
  },
  '`': (parent, text, at, _open, ticks) => {
    const length = runLength(text, at);
    const end = closingTicks(ticks, length, at);
    if (end === undefined) return literal(parent, text.slice(at, at + length), at);
    const inner = text.slice(at + length, end).replaceAll('\n', ' ');
    const padded = inner.startsWith(' ') && inner.endsWith(' ') && !isBlank(inner);
    parent.append(make('code', '', padded ? inner.slice(1, -1) : inner));
    return end + length;
  },
  '*': emphasis,
  '_': emphasis,
  '~': (parent, text, at, open) => {
    if (runLength(text, at) !== 2) return literal(parent, text.slice(at, at + runLength(text, at)), at);
    return emphasis(parent, text, at, open);
  },
  '!': (parent, text, at, open) => {
    if (text[at + 1] !== '[') return literal(parent, '!', at);
    return pushOpen(parent, open, { mark: '![', end: at + 2 });
  },
  '[': (parent, _text, at, open) => pushOpen(parent, open, { mark: '[', end: at + 1 }),
  ']': closeBracket,
  '<': (parent, text, at) => {
    const tag = /^<(?:(br) ?\/?|(https?:\/\/[^\s<>]{1,2000}|[\w.+-]{1,64}@[\w.-]{1,255}))>/i
      .exec(text.slice(at, at + MAX_TARGET + 20));
    if (!tag) return literal(parent, '<', at);
    if (tag[1]) parent.append(document.createElement('br'));
    else parent.append(linkOrText(tag[2].includes('://') ? tag[2] : `mailto:${tag[2]}`, tag[2]));
    return at + tag[0].length;
  },
};

function literal(parent, text, at) {
  parent.append(text);
  return at + text.length;
}

function pushOpen(parent, open, entry) {
  entry.node = document.createTextNode(entry.mark);
  parent.append(entry.node);
  open.push(entry);
  if (open.length > MAX_OPEN) open.shift();
  return entry.end;
}

function emphasis(parent, text, at, open) {
  const mark = text[at];
  const run = runLength(text, at);
  const end = at + run;
  if (run > 3) return literal(parent, text.slice(at, end), at);
  const { opens, closes: ends } = flanks(text, at, end, mark);
  let left = run;
  while (ends && left > 0) {
    const used = closeEmphasis(parent, open, mark, left);
    if (!used) break;
    left -= used;
  }
  if (left === 0) return end;
  if (!opens) return literal(parent, mark.repeat(left), end - left);
  return pushOpen(parent, open, { mark: mark.repeat(left), end });
}

/** Wraps what stands since the matching opener; says how many marks of the closer that took. */
function closeEmphasis(parent, open, mark, left) {
  let index = open.length - 1;
  // Emphasis does not reach out of a bracket that may still become a link.
  while (index >= 0 && open[index].mark[0] !== mark && !open[index].mark.includes('[')) index -= 1;
  const opener = open[index];
  if (!opener || opener.mark[0] !== mark) return 0;
  const used = Math.min(2, left, opener.mark.length);
  const element = document.createElement(mark === '~' ? 's' : used === 2 ? 'strong' : 'em');
  moveAfter(opener.node, element);
  parent.append(element);
  open.length = index + 1;
  opener.mark = opener.mark.slice(used);
  opener.node.data = opener.mark;
  if (!opener.mark) {
    opener.node.remove();
    open.pop();
  }
  return used;
}

function flanks(text, start, end, mark) {
  const before = text[start - 1] ?? ' ';
  const after = text[end] ?? ' ';
  const left = !isSpace(after) && (!isPunctuation(after) || isSpace(before) || isPunctuation(before));
  const right = !isSpace(before) && (!isPunctuation(before) || isSpace(after) || isPunctuation(after));
  // snake_case_names are no emphasis.
  if (mark === '_') {
    return { opens: left && (!right || isPunctuation(before)), closes: right && (!left || isPunctuation(after)) };
  }
  return { opens: left, closes: right };
}

function closeBracket(parent, text, at, open) {
  let index = open.length - 1;
  while (index >= 0 && !open[index].mark.includes('[')) index -= 1;
  if (index < 0) return literal(parent, ']', at);
  const opener = open[index];
  open.length = index;
  const target = linkTarget(text, at + 1);
  if (!target) return literal(parent, ']', at);
  const link = linkOrText(target.address, '');
  moveAfter(opener.node, link);
  opener.node.remove();
  // A picture is not loaded from elsewhere: its description links to it.
  if (opener.mark === '![') link.textContent = text.slice(opener.end, at).slice(0, 200) || 'image';
  else unwrapLinks(link);
  parent.append(link);
  return target.end;
}

/** `(address)` or `(address "title")`. An attempt ends soon at whatever another attempt starts with. */
function linkTarget(text, at) {
  const match = /^\( *(?:<([^<>\n]*)>|((?:[^\s()\\]|\\.|\([^\s()]*\))*))(?: +(?:"[^"]*"|'[^']*'))? *\)/
    .exec(text.slice(at, at + MAX_TARGET));
  if (!match) return null;
  return { address: (match[1] ?? match[2]).replace(/\\([()])/g, '$1'), end: at + match[0].length };
}

function appendAddress(parent, text, at) {
  const pattern = new RegExp(WEB_ADDRESS, 'y');
  pattern.lastIndex = at;
  const found = pattern.exec(text)?.[0];
  if (!found || /\w/.test(text[at - 1] ?? '')) return literal(parent, text.slice(at, at + 4), at);
  const address = withoutTail(found);
  parent.append(linkOrText(address, address));
  return at + address.length;
}

/** The full stop after an address, or the bracket around it, is not part of it. */
function withoutTail(address) {
  let spare = 0;
  for (const char of address) spare += char === ')' ? 1 : char === '(' ? -1 : 0;
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address[end - 1];
    if (last === ')' && spare > 0) spare -= 1;
    else if (!".,;:!?'*_~".includes(last)) break;
  }
  return address.slice(0, end);
}

function linkOrText(address, label) {
  const url = safeUrl(address);
  if (url) return anchor(url, label);
  const text = make('span', 'unlinked', label);
  text.title = address;
  return text;
}

function anchor(url, label) {
  const link = make('a', '', label);
  link.href = url;
  link.target = '_blank';
  link.rel = 'noopener noreferrer nofollow';
  return link;
}

function safeUrl(address) {
  const url = URL.canParse(address) ? new URL(address) : null;
  return url && SAFE_PROTOCOLS.has(url.protocol) ? url.href : null;
}

function unwrapLinks(element) {
  for (const inner of element.querySelectorAll('a')) inner.replaceWith(...inner.childNodes);
}

function moveAfter(node, target) {
  while (node.nextSibling) target.append(node.nextSibling);
}

/** Where runs of backticks stand, by length: found once, so that unclosed ones cost no search each. */
function tickRuns(text) {
  const runs = new Map();
  for (const match of text.matchAll(/`+/g)) {
    const length = match[0].length;
    if (!runs.has(length)) runs.set(length, { starts: [], next: 0 });
    runs.get(length).starts.push(match.index);
  }
  return runs;
}

function closingTicks(runs, length, at) {
  const run = runs.get(length);
  while (run?.starts[run.next] <= at) run.next += 1;
  return run?.starts[run.next];
}

// ---- Characters ----

function runLength(text, at) {
  let end = at;
  while (text[end] === text[at] && end < text.length) end += 1;
  return end - at;
}

function indentOf(line) {
  let indent = 0;
  while (line[indent] === ' ') indent += 1;
  return indent;
}

function isBlank(text) {
  return text.trim() === '';
}

function isSpace(char) {
  return char.trim() === '';
}

function isPunctuation(char) {
  return char !== undefined && /[\p{P}\p{S}]/u.test(char);
}

function make(tag, className = '', text = '') {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}
