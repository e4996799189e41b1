// Markdown to DOM nodes. Nothing here ever parses HTML, so no text can become markup, and every loop moves
// forward through the text or works on a bounded stack, so no text can make it slow.

import { indentOf, isBlank, runLength } from '/characters.js';
import { button, make } from '/dom.js';
import { beginMessage, colour } from '/highlight.js';
import { appendInline } from '/inline.js';

/** Containers (quotes, lists) nested deeper than this are shown as the text they are. */
const MAX_DEPTH = 12;
const MAX_COLUMNS = 64;

const LIST_MARK = /^( *)([-*+]|\d{1,9}[.)])(?: +|$)/;
const TASK_MARK = /^\[([ xX])\] /;

export function renderMarkdown(text) {
  const fragment = document.createDocumentFragment();
  beginMessage();
  const lines = text.replaceAll('\r\n', '\n').replaceAll('\t', '    ').split('\n');
  appendBlocks(fragment, lines, 0);
  return fragment;
}

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
    const heading = make(`h${level}`);
    appendInline(heading, headingText(line, level));
    parent.append(heading);
    return at + 1;
  }
  if (isRule(line)) {
    parent.append(make('hr'));
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
  const paragraph = make('p');
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
  const copy = button('copy', 'Copy', () => copyText(copy, text));
  const code = make('code');
  code.append(...colour(text, language));
  const pre = make('pre');
  // A long line scrolls sideways, which has to work from the keyboard as well.
  pre.tabIndex = 0;
  pre.append(code);
  head.append(make('span', 'language', language), copy);
  block.append(head, pre);
  return block;
}

async function copyText(copy, text) {
  const said = await navigator.clipboard.writeText(text).then(() => 'Copied', () => 'Not allowed');
  copy.textContent = said;
  setTimeout(() => { copy.textContent = 'Copy'; }, 1600);
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
  const quote = make('blockquote');
  appendBlocks(quote, inner, depth + 1);
  parent.append(quote);
  return next;
}

function appendList(parent, lines, at, depth) {
  const kind = listKind(LIST_MARK.exec(lines[at]));
  const list = make(kind === 'ordered' ? 'ol' : 'ul');
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
  const item = make('li');
  appendBlocks(item, body, depth + 1);
  if (task) addTaskBox(item, task[1] !== ' ');
  list.append(item);
  return next;
}

function addTaskBox(item, done) {
  const box = make('input');
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
  const table = make('table');
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
  const row = make('tr');
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
