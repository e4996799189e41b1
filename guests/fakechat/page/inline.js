// Emphasis, code, links and addresses within one paragraph, heading or cell.

import { isBlank, isPunctuation, runLength } from '/characters.js';
import { make } from '/dom.js';
import { addressAt, linkOrText } from '/link.js';

/** Open emphasis and brackets that are remembered; also bounds how deep inline elements nest. */
const MAX_OPEN = 24;
/** Marks in one paragraph: honest text stays far below, and each mark costs a node. */
const MAX_MARKS = 4000;
const MAX_TARGET = 2000;

/** One pass: what is finished stands in `parent`; what is still open waits on a short stack. */
export function appendInline(parent, text) {
  const special = /[\\`*_~[\]!<&$\n]|https?:\/\//g;
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
    const maths = /^\\(?:\([^\n]{1,1000}?\\\)|\[[^]{1,1000}?\\\])/.exec(text.slice(at, at + MAX_TARGET));
    // Escaped brackets around plain words are what they say.
    if (maths && /[\\^_=]/.test(maths[0].slice(2, -2))) return appendMaths(parent, maths[0], at);
    if (text[at + 1] === '\n') return at + 1;
    if (!isPunctuation(text[at + 1])) return literal(parent, '\\', at);
    return literal(parent, text[at + 1], at + 1);
  },
  '\n': (parent, _text, at) => {
    parent.append(make('br'));
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
  '&': (parent, text, at) => {
    const entity = /^&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w{2,8}));/i.exec(text.slice(at, at + 12));
    const character = entity && characterOf(entity);
    return character ? (parent.append(character), at + entity[0].length) : literal(parent, '&', at);
  },
  // Marks in formulas are no emphasis. "$5 and $6" are prices.
  '$': (parent, text, at) => {
    const maths = /^(?:\$\$[^]{1,1000}?\$\$|\$(?![\s$])[^$\n]{0,300}?[^\s$\\]\$(?!\d))/.exec(text.slice(at, at + MAX_TARGET));
    return maths ? appendMaths(parent, maths[0], at) : literal(parent, '$', at);
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
    if (tag[1]) parent.append(make('br'));
    else parent.append(linkOrText(tag[2].includes('://') ? tag[2] : `mailto:${tag[2]}`, tag[2]));
    return at + tag[0].length;
  },
};

/** The entities that people and models write; all others stay as they are. */
const ENTITIES = new Map(Object.entries({
  amp: '&', apos: "'", copy: '©', deg: '°', euro: '€', gt: '>', hellip: '…', laquo: '«', larr: '←', ldquo: '“', lsquo: '‘',
  lt: '<', mdash: '—', middot: '·', minus: '−', nbsp: '\u00a0', ndash: '–', quot: '"', raquo: '»', rarr: '→', rdquo: '”',
  rsquo: '’', sect: '§', times: '×',
}));

function characterOf([, decimal, hexadecimal, name]) {
  if (name) return ENTITIES.get(name);
  const code = decimal ? parseInt(decimal, 10) : parseInt(hexadecimal, 16);
  const isCharacter = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return isCharacter ? String.fromCodePoint(code) : null;
}

function appendMaths(parent, formula, at) {
  parent.append(make('span', 'maths', formula));
  return at + formula.length;
}

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
  const element = make(mark === '~' ? 's' : used === 2 ? 'strong' : 'em');
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
  const left = !isBlank(after) && (!isPunctuation(after) || isBlank(before) || isPunctuation(before));
  const right = !isBlank(before) && (!isPunctuation(before) || isBlank(after) || isPunctuation(after));
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
  const address = addressAt(text, at);
  if (!address) return literal(parent, text.slice(at, at + 4), at);
  parent.append(linkOrText(address, address));
  return at + address.length;
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
