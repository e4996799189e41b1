// Web addresses, in running text and as links.

import { make } from '/dom.js';

const SAFE_PROTOCOLS = new Set(['http:', 'https:', 'mailto:']);
const WEB_ADDRESS = /https?:\/\/[^\s<>[\]"`|]+/g;

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

/** The address that starts at `at`, or nothing if it is the tail of a longer word. */
export function addressAt(text, at) {
  const pattern = new RegExp(WEB_ADDRESS, 'y');
  pattern.lastIndex = at;
  const found = pattern.exec(text)?.[0];
  return found && !/\w/.test(text[at - 1] ?? '') ? withoutTail(found) : null;
}

export function linkOrText(address, label) {
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
