// Finds words in the conversation.

import { $ } from '/dom.js';
import { reveal } from '/view.js';

/** More are not counted. */
const MOST = 999;

const state = { hits: [], at: -1 };
const painted = globalThis.Highlight ? { hit: new Highlight(), current: new Highlight() } : null;

if (painted) for (const [name, highlight] of Object.entries(painted)) CSS.highlights.set(`search-${name}`, highlight);

function open() {
  $('search').hidden = false;
  $('find').ariaExpanded = 'true';
  $('needle').focus();
  $('needle').select();
  look();
}

function close() {
  $('search').hidden = true;
  $('find').ariaExpanded = 'false';
  show([]);
  $('composer').focus();
}

/** Goes to the newest hit first: what one looks for is mostly not long ago. */
function look() {
  const needle = $('needle').value.trim();
  const hits = needle ? find(needle) : [];
  show(hits);
  if (hits.length) go(hits.length - 1);
  else $('hits').textContent = needle ? 'Not found' : '';
}

function find(needle) {
  const pattern = new RegExp(needle.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&').replace(/\s+/g, '\\s+'), 'giu');
  const hits = [];
  for (const place of $('log').querySelectorAll('.text, .file-name')) {
    const { text, pieces } = read(place);
    for (const match of text.matchAll(pattern)) {
      if (hits.length === MOST) return hits;
      hits.push(rangeOf(pieces, match.index, match.index + match[0].length));
    }
  }
  return hits;
}

/** Words may be split over several nodes. */
function read(place) {
  const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  const pieces = [];
  let text = '';
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest('.code-head')) continue;
    pieces.push({ node, start: text.length });
    text += node.data;
  }
  return { text, pieces };
}

function rangeOf(pieces, start, end) {
  const range = new Range();
  const first = pieceAt(pieces, start);
  const last = pieceAt(pieces, end - 1);
  range.setStart(first.node, start - first.start);
  range.setEnd(last.node, end - last.start);
  return range;
}

/** The last piece that begins at this place or before. */
function pieceAt(pieces, place) {
  let [low, high] = [0, pieces.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (pieces[middle].start <= place) low = middle;
    else high = middle - 1;
  }
  return pieces[low];
}

function show(hits) {
  state.hits = hits;
  state.at = -1;
  painted?.hit.clear();
  painted?.current.clear();
  for (const range of hits) painted?.hit.add(range);
}

function go(to) {
  const { hits } = state;
  if (hits.length === 0) return;
  state.at = (to + hits.length) % hits.length;
  const range = hits[state.at];
  painted?.current.clear();
  painted?.current.add(range);
  const node = range.startContainer.parentElement;
  const folded = node?.closest('details');
  if (folded) folded.open = true;
  const message = node?.closest('.message, .prompt');
  if (message) reveal(message, { focus: false });
  $('hits').textContent = `${state.at + 1} of ${hits.length === MOST ? `${MOST}+` : hits.length}`;
}

function onKey(event) {
  if (event.key === 'Escape') close();
  else if (event.key === 'Enter') go(state.at + (event.shiftKey ? 1 : -1));
  else return;
  event.preventDefault();
  event.stopPropagation();
}

$('find').addEventListener('click', () => ($('search').hidden ? open() : close()));
$('needle').addEventListener('input', look);
$('needle').addEventListener('keydown', onKey);
$('older').addEventListener('click', () => go(state.at - 1));
$('newer').addEventListener('click', () => go(state.at + 1));
$('search-close').addEventListener('click', close);
