// What stands on the page, in which order: messages, and prompts between them.

import { attachmentOf } from '/attachment.js';
import { $, button, make } from '/dom.js';
import { edit } from '/editing.js';
import { dayLabel, dayOf, readMessage, snippet, speaker, textOf, timeOf } from '/message.js';
import { quote } from '/quoting.js';
import { follow, reveal } from '/view.js';

const MAX_NODES = 1000;
const SHOW_PROGRESS_FROM = 1024 * 1024;
const GROUP_WITHIN = 5 * 60 * 1000;

const log = $('log');

/** By id: { message, node, … }, for messages { pending, upload?, … } as well. The order is the log's. */
const entries = new Map();

export function entryOf(id) {
  return entries.get(id);
}

export function pendingEntries() {
  return [...entries.values()].filter((entry) => entry.pending);
}

/** In the order of the page, prompts among them. */
export function allEntries() {
  return [...log.children].map((node) => entries.get(node.dataset.id));
}

/** The person's last message, if its text can be changed. */
export function lastOwn() {
  const last = allEntries().findLast(({ message }) => message.from === 'user');
  return last && !last.pending && !last.message.file ? last : null;
}

/** Puts a message on the page, or what is new about it in its old place. */
export function show(message, { pending = false, upload, before = null } = {}) {
  const known = entries.get(message.id);
  const entry = known ?? newEntry(message.id, upload);
  Object.assign(entry, { message, pending });
  if (!pending) forgetUpload(entry);
  fill(entry);
  if (!known) log.insertBefore(entry.node, before);
  arrange(entry.node);
  arrange(entry.node.nextElementSibling);
  return entry;
}

/** Puts a new entry that is no message where its time belongs. */
export function insert(entry) {
  const { id, ts } = entry.message;
  let before = null;
  for (let node = log.lastElementChild; node && messageAt(node).ts > ts; node = node.previousElementSibling) before = node;
  entries.set(id, entry);
  log.insertBefore(entry.node, before);
  arrange(entry.node);
  arrange(entry.node.nextElementSibling);
}

export function remove(id) {
  const entry = entries.get(id);
  if (!entry) return;
  const next = entry.node.nextElementSibling;
  forgetUpload(entry);
  entries.delete(id);
  entry.node.remove();
  arrange(next);
}

/** Goes by the order of the messages rather than by their times: two clocks may differ. */
export function mergeHistory(history) {
  const messages = history.slice(-MAX_NODES).map(readMessage);
  const first = entries.size === 0;
  const anchor = messages.find(({ id }) => entries.has(id));
  let before = anchor ? entries.get(anchor.id).node : log.querySelector('[data-state="pending"]');
  let added = 0;
  let replies = 0;
  log.ariaBusy = 'true';
  for (const message of messages) {
    const known = entries.get(message.id);
    // Prompts are not in the history, but on the same clock.
    while (before?.matches('.prompt') && messageAt(before).ts <= message.ts) before = before.nextElementSibling;
    // An edit that the server does not know yet is newer than its history.
    const current = known?.message.change || (known && !known.pending && JSON.stringify(known.message) === JSON.stringify(message));
    if (!current) show(message, { before });
    if (known) before = known.node.nextElementSibling;
    else {
      added += 1;
      if (message.from === 'assistant') replies += 1;
    }
  }
  log.ariaBusy = 'false';
  grown(first ? 0 : added, first ? 0 : replies);
}

/** After the log has grown by `count` messages of somebody else's, or may have in height. */
export function grown(count = 0, fromSession = 0) {
  prune();
  follow(count, fromSession);
}

/** Days get other names while the page is left open overnight. */
export function arrangeAll() {
  for (const node of log.children) arrange(node);
}

function newEntry(id, upload) {
  const node = make('article', 'message');
  const entry = {
    upload, node, who: make('span', 'who'), bubble: make('div', 'bubble'), facts: make('span', 'facts'),
  };
  const reply = button('reply', 'Reply', () => quote(entry.message));
  const meta = make('div', 'meta');
  const change = button('edit', 'Edit', () => edit(entry.message));
  meta.append(entry.facts, reply, change);
  node.dataset.id = id;
  node.tabIndex = -1;
  node.append(entry.who, entry.bubble, meta);
  entries.set(id, entry);
  return entry;
}

export function fill(entry) {
  const { message, node, who, bubble, facts, upload, pending } = entry;
  const mine = message.from === 'user';
  node.dataset.from = message.from;
  if (mine) node.dataset.state = pending ? 'pending' : 'sent';
  node.classList.toggle('attached', Boolean(message.file));
  who.textContent = speaker(message);
  const parts = [quoteOf(message), textOf(message), attachmentOf(message, upload), progressOf(upload)];
  bubble.replaceChildren(...parts.filter(Boolean));
  facts.replaceChildren(timeOf(message));
  if (message.edited) facts.append(make('span', 'edited', 'edited'));
  if (upload?.failure) facts.append(...failureOf(entry));
  else if (pending) facts.append(make('span', 'waiting', 'not delivered yet'));
}

function quoteOf({ replyTo }) {
  if (!replyTo) return null;
  const target = entries.get(replyTo)?.message;
  const element = button('quote', '', () => jumpTo(replyTo));
  element.disabled = !target;
  element.append(make('b', '', target ? speaker(target) : ''), make('span', '', target ? snippet(target) : 'An earlier message'));
  return element;
}

function jumpTo(id) {
  const node = entries.get(id)?.node;
  if (node) reveal(node);
}

function progressOf(upload) {
  if (!upload || upload.failure || upload.file.size < SHOW_PROGRESS_FROM) return null;
  const bar = make('progress');
  bar.value = 0;
  bar.ariaLabel = 'Upload';
  return bar;
}

function failureOf({ message, upload }) {
  const retry = button('again', 'Try again', upload.retry);
  const discard = button('again', 'Discard', () => remove(message.id));
  return [make('span', 'failure', `Not sent: ${upload.failure}`), retry, discard];
}

function forgetUpload(entry) {
  if (entry.upload?.preview) URL.revokeObjectURL(entry.upload.preview);
  delete entry.upload;
}

/** Sets what depends on the message before: the day it opens, or the group it belongs to. */
function arrange(node) {
  if (!node) return;
  const message = messageAt(node);
  const before = node.previousElementSibling && messageAt(node.previousElementSibling);
  const sameDay = before && dayOf(before) === dayOf(message);
  const follows = sameDay && before.from === message.from && message.ts - before.ts < GROUP_WITHIN;
  node.classList.toggle('follows', Boolean(follows));
  if (sameDay) delete node.dataset.day;
  else node.dataset.day = dayLabel(message);
}

function prune() {
  const spare = log.childElementCount - MAX_NODES;
  if (spare <= 0) return;
  // A message that is not delivered yet must not get lost, however old it is.
  const old = [...log.children].slice(0, spare).filter((node) => !entries.get(node.dataset.id).pending);
  for (const node of old) remove(node.dataset.id);
}

function messageAt(node) {
  return entries.get(node.dataset.id).message;
}
