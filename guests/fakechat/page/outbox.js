// What the person sent and the server has not confirmed yet.

import { connected, send } from '/connection.js';
import { entryOf, fill, pendingEntries, show } from '/log.js';
import { readMessage } from '/message.js';

const PENDING_KEY = 'fakechat.pending';

/** Entries whose file still has to go up, one after the other. */
const uploads = [];

// ---- Texts ----

export function sendText(text, replyTo) {
  const entry = show(draft(text, replyTo), { pending: true });
  savePending();
  if (connected()) transmit(entry);
}

/** Says a message again, with another text. */
export function sendEdit(id, text) {
  const known = entryOf(id);
  if (!known) return;
  const change = crypto.randomUUID();
  const entry = show({ ...known.message, text, edited: true, change }, { pending: true });
  savePending();
  if (connected()) transmit(entry);
}

export function sendPendingTexts() {
  pendingTexts().forEach(transmit);
}

export function savePending() {
  try {
    sessionStorage.setItem(PENDING_KEY, JSON.stringify(pendingTexts().map(({ message }) => message)));
  } catch {
    // Storage is full or forbidden: the messages are still sent unless the page is reloaded first.
  }
}

export function restorePending() {
  try {
    const saved = JSON.parse(sessionStorage.getItem(PENDING_KEY)) ?? [];
    for (const message of saved) show(readMessage(message), { pending: true });
  } catch {
    // Nothing that could be read: there is nothing to restore.
  }
}

export function settle(id) {
  const entry = entryOf(id) ?? pendingTexts().find(({ message }) => message.change === id);
  if (!entry?.pending) return;
  entry.pending = false;
  delete entry.message.change;
  fill(entry);
  savePending();
}

function pendingTexts() {
  return pendingEntries().filter((entry) => !entry.upload);
}

function transmit({ message: { id, text, replyTo, change } }) {
  send(change ? { id: change, text, ack: true, edits: id } : { id, text, ack: true, replyTo });
}

function draft(text, replyTo) {
  return { id: crypto.randomUUID(), from: 'user', text, ts: Date.now(), replyTo };
}

// ---- Files ----

export function sendFile({ file, preview }, text, replyTo) {
  const message = { ...draft(text, replyTo), file: { url: '', name: file.name, size: file.size } };
  const entry = show(message, { pending: true, upload: { file, preview, retry: () => retry(entry) } });
  enqueue(entry);
}

function retry(entry) {
  delete entry.upload.failure;
  fill(entry);
  enqueue(entry);
}

function enqueue(entry) {
  uploads.push(entry);
  uploadNext();
}

export function uploadNext() {
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
  // The server's own frame about it may have come first, and the next upload begun.
  if (uploads[0] === entry) uploads.shift();
  if (request.status >= 200 && request.status < 300) settle(entry.message.id);
  else if (entry.pending) {
    entry.upload.failure = request.responseText.trim().slice(0, 300) || 'The upload broke off';
    fill(entry);
  }
  uploadNext();
}

window.addEventListener('beforeunload', (event) => { if (uploads.length > 0) event.preventDefault(); });
