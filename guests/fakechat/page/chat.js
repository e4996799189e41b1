import { renderMarkdown, renderPlain } from '/markdown.js';

const MAX_NODES = 1000;
const MAX_FILE = 50 * 1024 * 1024;
const SHOW_PROGRESS_FROM = 1024 * 1024;
const WORKING_FOR = 6000;
const GROUP_WITHIN = 5 * 60 * 1000;
const FIRST_DELAY = 500;
const LONGEST_DELAY = 10000;
/** From this many failed attempts on the page says "offline" rather than "reconnecting". */
const OFFLINE_AFTER = 3;
const PENDING_KEY = 'fakechat.pending';
const PICTURE = /\.(png|jpe?g|gif|webp|avif)$/i;

const $ = (id) => document.getElementById(id);
const log = $('log');
const composer = $('composer');
const timeOfDay = new Intl.DateTimeFormat([], { hour: '2-digit', minute: '2-digit' });
const fullDate = new Intl.DateTimeFormat([], { dateStyle: 'full', timeStyle: 'medium' });
const dayName = new Intl.DateTimeFormat([], { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });

/** What is on the page, by message id: { message, pending, upload?, node, … }. The order is the log's. */
const entries = new Map();

// ---- The log ----

/** Puts a message on the page, or what is new about it in its old place. */
function show(message, { pending = false, upload, before = null } = {}) {
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

function newEntry(id, upload) {
  const node = make('article', 'message');
  const entry = {
    upload, node, who: make('span', 'who'), bubble: make('div', 'bubble'), facts: make('span', 'facts'),
  };
  const reply = button('reply', 'Reply', () => quote(id));
  const meta = make('div', 'meta');
  meta.append(entry.facts, reply);
  node.dataset.id = id;
  node.tabIndex = -1;
  node.append(entry.who, entry.bubble, meta);
  entries.set(id, entry);
  return entry;
}

function fill(entry) {
  const { message, node, who, bubble, facts, upload, pending } = entry;
  const mine = message.from === 'user';
  node.dataset.from = message.from;
  if (mine) node.dataset.state = pending ? 'pending' : 'sent';
  who.textContent = speaker(message);
  bubble.replaceChildren(...[quoteOf(message), textOf(message), attachmentOf(entry), progressOf(upload)].filter(Boolean));
  facts.replaceChildren(timeOf(message));
  if (message.edited) facts.append(make('span', 'edited', 'edited'));
  if (upload?.failure) facts.append(...failureOf(entry));
  else if (pending) facts.append(make('span', 'waiting', 'not delivered yet'));
}

function speaker(message) {
  return message.from === 'user' ? 'You' : 'Session';
}

function timeOf({ ts }) {
  const date = new Date(ts);
  const time = make('time', '', timeOfDay.format(date));
  time.dateTime = date.toISOString();
  time.title = fullDate.format(date);
  return time;
}

function textOf(message) {
  const asItIs = message.plain || message.from === 'user';
  const text = make('div', asItIs ? 'text plain' : 'text markdown');
  text.append(asItIs ? renderPlain(message.text) : renderMarkdown(message.text));
  return text;
}

function quoteOf({ replyTo }) {
  if (!replyTo) return null;
  const target = entries.get(replyTo)?.message;
  const element = button('quote', '', () => jumpTo(replyTo));
  element.disabled = !target;
  element.append(make('b', '', target ? speaker(target) : ''), make('span', '', target ? snippet(target) : 'An earlier message'));
  return element;
}

function snippet({ text, file, from, plain }) {
  const start = text.slice(0, 400);
  const bare = from === 'user' || plain ? start : start.replace(/[*`#]+/g, '');
  return bare.replace(/\s+/g, ' ').trim().slice(0, 160) || file?.name || 'Message';
}

function jumpTo(id) {
  const node = entries.get(id)?.node;
  if (!node) return;
  node.scrollIntoView({ block: 'center', behavior: motion() });
  node.focus({ preventScroll: true });
  node.classList.add('lit');
  setTimeout(() => node.classList.remove('lit'), 1800);
}

function attachmentOf({ message: { file }, upload }) {
  if (!file) return null;
  const url = upload ? upload.preview : ownAddress(file.url);
  return url && PICTURE.test(file.name || file.url) ? pictureOf(file, url) : chipOf(file, upload ? null : url);
}

/** The session's files come from this server; anything else gets no link and is not loaded. */
function ownAddress(url) {
  if (!url || !URL.canParse(url, location.href)) return null;
  const address = new URL(url, location.href);
  return address.origin === location.origin ? address.href : null;
}

function pictureOf(file, url) {
  const frame = make('a', 'file framed');
  const picture = make('img', 'picture');
  frame.href = url;
  frame.target = '_blank';
  frame.rel = 'noopener';
  picture.alt = file.name;
  picture.title = file.name;
  picture.addEventListener('error', () => frame.replaceWith(chipOf(file, url)));
  picture.src = url;
  frame.append(picture);
  return frame;
}

function chipOf(file, url) {
  const chip = make(url ? 'a' : 'span', 'file');
  if (url) {
    chip.href = url;
    chip.download = file.name;
  }
  chip.append(make('span', 'file-name', file.name || 'file'));
  if (Number.isFinite(file.size)) chip.append(make('span', 'file-size', formatSize(file.size)));
  return chip;
}

function formatSize(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

/** Sets what depends on the message before: the day it opens, or the group it belongs to. */
function arrange(node) {
  if (!node) return;
  const message = entries.get(node.dataset.id).message;
  const before = entries.get(node.previousElementSibling?.dataset.id)?.message;
  const sameDay = before && dayOf(before.ts) === dayOf(message.ts);
  const follows = sameDay && before.from === message.from && message.ts - before.ts < GROUP_WITHIN;
  node.classList.toggle('follows', Boolean(follows));
  if (sameDay) delete node.dataset.day;
  else node.dataset.day = dayLabel(message.ts);
}

function dayOf(ts) {
  return new Date(ts).toDateString();
}

function dayLabel(ts) {
  const yesterday = new Date();
  yesterday.setDate(yesterday.getDate() - 1);
  if (dayOf(ts) === dayOf(Date.now())) return 'Today';
  return dayOf(ts) === yesterday.toDateString() ? 'Yesterday' : dayName.format(ts);
}

function prune() {
  const spare = log.childElementCount - MAX_NODES;
  if (spare <= 0) return;
  // A message that is not delivered yet must not get lost, however old it is.
  const old = [...log.children].slice(0, spare).filter((node) => !entries.get(node.dataset.id).pending);
  for (const node of old) remove(node.dataset.id);
}

function remove(id) {
  const entry = entries.get(id);
  const next = entry.node.nextElementSibling;
  forgetUpload(entry);
  entries.delete(id);
  entry.node.remove();
  arrange(next);
}

// ---- Scrolling and what is new ----

const view = { stuck: true, planned: false, top: 0, unseen: 0, unread: 0 };

function toBottom(behavior = 'instant') {
  log.scrollTo({ top: log.scrollHeight, behavior });
}

/** Once a frame at most: many messages may come at once. */
function keepAtBottom() {
  if (!view.stuck || view.planned) return;
  view.planned = true;
  requestAnimationFrame(() => {
    view.planned = false;
    if (view.stuck) toBottom();
  });
}

function onScroll() {
  // Only a scroll upwards is the person's wish to leave the end; content that grows is not.
  if (log.scrollHeight - log.clientHeight - log.scrollTop < 48) view.stuck = true;
  else if (log.scrollTop < view.top) view.stuck = false;
  view.top = log.scrollTop;
  if (view.stuck) view.unseen = 0;
  showPill();
}

function showPill() {
  $('pill').hidden = view.stuck;
  $('pill').textContent = view.unseen ? `${view.unseen} new message${view.unseen === 1 ? '' : 's'}` : 'Jump to latest';
}

/** After the log has grown by `count` messages of somebody else's. */
function grown(count, fromSession) {
  prune();
  if (view.stuck) keepAtBottom();
  else view.unseen += count;
  if (document.hidden) view.unread += fromSession;
  showPill();
  showTitle();
}

function showTitle() {
  document.title = view.unread ? `(${view.unread}) tidegate` : 'tidegate';
}

function motion() {
  return matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth';
}

// ---- From the server ----

const onFrame = {
  msg(frame) {
    const message = readMessage(frame);
    const isNew = !entries.has(message.id);
    const mine = message.from === 'user';
    if (!mine) showWorking(false);
    show(message);
    savePending();
    grown(isNew ? 1 : 0, isNew && !mine ? 1 : 0);
  },

  edit({ id, text }) {
    const entry = entries.get(id);
    if (!entry) return;
    show({ ...entry.message, text: String(text ?? ''), edited: true }, { pending: entry.pending });
    grown(0, 0);
  },

  history({ messages }) {
    connection.failures = 0;
    mergeHistory(messages.slice(-MAX_NODES).map(readMessage));
    savePending();
    uploadNext();
  },

  typing() {
    showWorking(true);
  },

  ack({ id }) {
    settle(id);
  },

  error({ text }) {
    notify(String(text));
  },
};

function receive(data) {
  let frame;
  try {
    frame = JSON.parse(data);
  } catch {
    return;
  }
  if (Object.hasOwn(onFrame, frame?.type)) onFrame[frame.type](frame);
}

function readMessage({ id, from, text, ts, replyTo, file, plain, edited }) {
  const side = from === 'user' ? 'user' : 'assistant';
  const time = Number.isFinite(ts) ? ts : Date.now();
  return { id: String(id), from: side, text: String(text ?? ''), ts: time, replyTo, file, plain, edited };
}

/** Goes by the order of the messages rather than by their times: two clocks may differ. */
function mergeHistory(messages) {
  const first = entries.size === 0;
  const anchor = messages.find(({ id }) => entries.has(id));
  let before = anchor ? entries.get(anchor.id).node : log.querySelector('[data-state="pending"]');
  let added = 0;
  let replies = 0;
  log.ariaBusy = 'true';
  for (const message of messages) {
    const known = entries.get(message.id);
    if (!known || known.pending || JSON.stringify(known.message) !== JSON.stringify(message)) show(message, { before });
    if (known) before = known.node.nextElementSibling;
    else {
      added += 1;
      if (message.from === 'assistant') replies += 1;
    }
  }
  log.ariaBusy = 'false';
  grown(first ? 0 : added, first ? 0 : replies);
}

let workingTimer;

function showWorking(working) {
  clearTimeout(workingTimer);
  if (working) workingTimer = setTimeout(showWorking, WORKING_FOR, false);
  $('working').hidden = !working;
}

function notify(text) {
  const notice = make('div', 'notice', text);
  const close = button('close', '×', () => notice.remove());
  close.ariaLabel = 'Dismiss';
  notice.append(close);
  $('notices').append(notice);
  setTimeout(() => notice.remove(), 10000);
}

// ---- The connection ----

const connection = { socket: null, failures: 0, timer: 0, ticker: 0, retryAt: 0 };

function connect() {
  clearTimeout(connection.timer);
  clearInterval(connection.ticker);
  connection.retryAt = 0;
  const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`);
  connection.socket = socket;
  socket.addEventListener('open', () => {
    showConnection();
    pendingTexts().forEach(transmit);
  });
  socket.addEventListener('message', (event) => receive(event.data));
  socket.addEventListener('close', reconnectLater);
  showConnection();
}

function connected() {
  return connection.socket?.readyState === WebSocket.OPEN;
}

function reconnectLater() {
  const delay = Math.min(FIRST_DELAY * 2 ** connection.failures, LONGEST_DELAY);
  connection.failures += 1;
  connection.retryAt = Date.now() + delay;
  connection.timer = setTimeout(connect, delay);
  connection.ticker = setInterval(showConnection, 250);
  showWorking(false);
  showConnection();
}

function reconnectNow() {
  if (connection.retryAt) connect();
}

function showConnection() {
  const { failures, retryAt } = connection;
  const offline = !connected() && failures >= OFFLINE_AFTER;
  const [state, text] = connected() ? ['connected', 'Connected']
    : offline ? ['offline', 'Offline']
      : ['connecting', failures ? 'Reconnecting' : 'Connecting…'];
  $('status').dataset.state = state;
  // A live region speaks whenever its text is set: only when it really changes.
  if ($('status-text').textContent !== text) $('status-text').textContent = text;
  $('countdown').textContent = countdownText(offline);
  $('retry').hidden = !offline || !retryAt;
}

function countdownText(offline) {
  const { failures, retryAt } = connection;
  if (connected() || !failures) return '';
  if (!retryAt) return offline ? ', trying again…' : '…';
  const seconds = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
  return offline ? `, next try in ${seconds} s` : ` in ${seconds} s`;
}

// ---- Sending ----

let quoting = null;
/** Files chosen for the next message: { file, preview, node }. */
const staged = [];
/** Entries whose file still has to go up, one after the other. */
const uploads = [];

function submit() {
  const text = composer.value;
  if (!canSend()) return;
  const replyTo = quoting ?? undefined;
  const files = staged.splice(0);
  if (files.length === 0) sendText(text, replyTo);
  files.forEach((item, index) => sendFile(item, index ? '' : text, index ? undefined : replyTo));
  composer.value = '';
  $('staged').replaceChildren();
  unquote();
  composed();
  view.stuck = true;
  grown(0, 0);
  composer.focus();
}

function canSend() {
  return staged.length > 0 || composer.value.trim() !== '';
}

function draft(text, replyTo) {
  return { id: crypto.randomUUID(), from: 'user', text, ts: Date.now(), replyTo };
}

function sendText(text, replyTo) {
  const entry = show(draft(text, replyTo), { pending: true });
  savePending();
  if (connected()) transmit(entry);
}

function transmit({ message: { id, text, replyTo } }) {
  connection.socket.send(JSON.stringify({ id, text, ack: true, replyTo }));
}

function pendingTexts() {
  return [...entries.values()].filter((entry) => entry.pending && !entry.upload);
}

function savePending() {
  try {
    sessionStorage.setItem(PENDING_KEY, JSON.stringify(pendingTexts().map(({ message }) => message)));
  } catch {
    // Storage is full or forbidden: the messages are still sent unless the page is reloaded first.
  }
}

function restorePending() {
  try {
    const saved = JSON.parse(sessionStorage.getItem(PENDING_KEY)) ?? [];
    for (const message of saved) show(readMessage(message), { pending: true });
  } catch {
    // Nothing that could be read: there is nothing to restore.
  }
}

function settle(id) {
  const entry = entries.get(id);
  if (!entry?.pending) return;
  entry.pending = false;
  fill(entry);
  savePending();
}

// ---- Uploads ----

function sendFile({ file, preview }, text, replyTo) {
  const message = { ...draft(text, replyTo), file: { url: '', name: file.name, size: file.size } };
  uploads.push(show(message, { pending: true, upload: { file, preview } }));
  uploadNext();
}

function uploadNext() {
  const entry = uploads[0];
  if (!entry || entry.upload?.request || !connected()) return;
  if (!entry.pending) {
    uploads.shift();
    uploadNext();
    return;
  }
  const request = new XMLHttpRequest();
  entry.upload.request = request;
  request.upload.addEventListener('progress', ({ loaded, total }) => {
    const bar = entry.bubble.querySelector('progress');
    if (bar) bar.value = loaded / total;
  });
  request.addEventListener('loadend', () => uploaded(entry, request));
  request.open('POST', '/upload');
  request.send(formOf(entry));
}

function formOf({ message: { id, text, replyTo }, upload }) {
  const form = new FormData();
  form.append('id', id);
  form.append('text', text);
  if (replyTo) form.append('replyTo', replyTo);
  form.append('file', upload.file, upload.file.name);
  return form;
}

async function uploaded(entry, request) {
  // A broken upload is often the first sign of a lost connection: wait for the socket to notice it too.
  if (request.status === 0) await new Promise((resume) => { setTimeout(resume, 500); });
  if (entry.upload) entry.upload.request = null;
  if (entry.pending && request.status === 0 && !connected()) return;
  uploads.shift();
  if (request.status >= 200 && request.status < 300) settle(entry.message.id);
  else if (entry.pending) {
    entry.upload.failure = request.responseText.trim().slice(0, 300) || 'The upload broke off';
    fill(entry);
  }
  uploadNext();
}

function progressOf(upload) {
  if (!upload || upload.failure || upload.file.size < SHOW_PROGRESS_FROM) return null;
  const bar = make('progress');
  bar.value = 0;
  bar.ariaLabel = 'Upload';
  return bar;
}

function failureOf(entry) {
  const retry = button('again', 'Try again', () => {
    delete entry.upload.failure;
    fill(entry);
    uploads.push(entry);
    uploadNext();
  });
  const discard = button('again', 'Discard', () => remove(entry.message.id));
  return [make('span', 'failure', `Not sent: ${entry.upload.failure}`), retry, discard];
}

function forgetUpload(entry) {
  if (entry.upload?.preview) URL.revokeObjectURL(entry.upload.preview);
  delete entry.upload;
}

// ---- The composer ----

function stage(files) {
  for (const file of files) {
    if (file.size > MAX_FILE) notify(`${file.name} is too big: ${formatSize(file.size)}, the limit is ${formatSize(MAX_FILE)}.`);
    else stageOne(file);
  }
  composed();
  composer.focus();
}

function stageOne(file) {
  const item = { file, preview: PICTURE.test(file.name) ? URL.createObjectURL(file) : null };
  const node = make('li', 'chip');
  if (item.preview) {
    const thumbnail = make('img');
    thumbnail.src = item.preview;
    thumbnail.alt = '';
    node.append(thumbnail);
  }
  const close = button('close', '×', () => {
    staged.splice(staged.indexOf(item), 1);
    if (item.preview) URL.revokeObjectURL(item.preview);
    node.remove();
    composed();
    composer.focus();
  });
  close.ariaLabel = `Remove ${file.name}`;
  node.append(make('span', 'file-name', file.name), make('span', 'file-size', formatSize(file.size)), close);
  $('staged').append(node);
  staged.push(item);
}

/** A folder looks like a file until it is read. */
function droppedFiles(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === 'file');
  if (items.some((item) => item.webkitGetAsEntry()?.isDirectory)) notify('Folders cannot be sent, only files.');
  return items.filter((item) => !item.webkitGetAsEntry()?.isDirectory).map((item) => item.getAsFile());
}

/** After any change to what would be sent. */
function composed() {
  composer.style.height = 'auto';
  composer.style.height = `${Math.min(composer.scrollHeight, innerHeight * 0.4)}px`;
  $('send').disabled = !canSend();
}

function quote(id) {
  const { message } = entries.get(id);
  quoting = id;
  $('quoting-who').textContent = `Reply to ${message.from === 'user' ? 'yourself' : 'the session'}`;
  $('quoting-text').textContent = snippet(message);
  $('quoting').hidden = false;
  composer.focus();
}

function unquote() {
  quoting = null;
  $('quoting').hidden = true;
}

function onComposerKey(event) {
  // The Enter that ends an input method's composition belongs to it (229 where isComposing comes late).
  const composing = event.isComposing || event.keyCode === 229;
  if (event.key !== 'Enter' || event.shiftKey || composing) return;
  event.preventDefault();
  submit();
}

function onKey(event) {
  if (event.key === 'Escape' && quoting !== null && !event.isComposing) {
    unquote();
    composer.focus();
  }
}

function onPaste(event) {
  const { files, types } = event.clipboardData;
  // Office programs put a picture of the text next to the text: the text is what is meant.
  if (files.length === 0 || types.includes('text/plain')) return;
  event.preventDefault();
  stage(files);
}

function onDrag(event) {
  if (!event.dataTransfer.types.includes('Files')) return;
  event.preventDefault();
  const leaves = event.type === 'drop' || (event.type === 'dragleave' && !event.relatedTarget);
  document.body.classList.toggle('dragging', !leaves);
  if (event.type === 'drop') stage(droppedFiles(event.dataTransfer));
}

function onVisible() {
  if (document.hidden) return;
  view.unread = 0;
  showTitle();
  reconnectNow();
  // The page may have been left open overnight.
  for (const node of log.children) arrange(node);
}

// ---- Small helpers, and the start ----

function make(tag, className = '', text = '') {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

function button(className, text, onClick) {
  const element = make('button', className, text);
  element.type = 'button';
  element.addEventListener('click', onClick);
  return element;
}

composer.addEventListener('input', composed);
composer.addEventListener('keydown', onComposerKey);
$('send').addEventListener('click', submit);
$('attach').addEventListener('click', () => $('file').click());
$('file').addEventListener('change', ({ target }) => {
  stage(target.files);
  target.value = '';
});
$('unquote').addEventListener('click', () => { unquote(); composer.focus(); });
$('retry').addEventListener('click', reconnectNow);
$('pill').addEventListener('click', () => toBottom(motion()));
log.addEventListener('scroll', onScroll, { passive: true });
// A picture's height is known only once it is there.
log.addEventListener('load', keepAtBottom, true);
new ResizeObserver(() => { if (view.stuck) toBottom(); composed(); }).observe(log);
window.addEventListener('keydown', onKey);
window.addEventListener('paste', onPaste);
for (const type of ['dragenter', 'dragover', 'dragleave', 'drop']) window.addEventListener(type, onDrag);
window.addEventListener('online', reconnectNow);
document.addEventListener('visibilitychange', onVisible);
window.addEventListener('beforeunload', (event) => { if (uploads.length > 0) event.preventDefault(); });

restorePending();
composed();
connect();
