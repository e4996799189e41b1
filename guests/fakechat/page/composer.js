import { formatSize, isPicture, labelOf } from '/attachment.js';
import { $, closeButton, make } from '/dom.js';
import { edit, editedId, stopEditing } from '/editing.js';
import { grown, lastOwn } from '/log.js';
import { notify } from '/notice.js';
import { sendEdit, sendFile, sendText } from '/outbox.js';
import { quotedId, unquote } from '/quoting.js';
import { stick } from '/view.js';

const MAX_FILE = 50 * 1024 * 1024;

const composer = $('composer');
/** Files chosen for the next message: { file, preview }. */
const staged = [];

function submit() {
  const text = composer.value;
  if (!canSend()) return;
  const replyTo = quotedId();
  const edited = editedId();
  if (edited !== undefined) {
    stopEditing();
    sendEdit(edited, text);
    sent();
    return;
  }
  const files = staged.splice(0);
  if (files.length === 0) sendText(text, replyTo);
  files.forEach((item, index) => sendFile(item, index ? '' : text, index ? undefined : replyTo));
  $('staged').replaceChildren();
  sent();
}

function sent() {
  composer.value = '';
  unquote();
  composed();
  stick();
  grown();
  composer.focus();
}

function canSend() {
  return (staged.length > 0 && editedId() === undefined) || composer.value.trim() !== '';
}

/** After any change to what would be sent. */
export function composed() {
  composer.style.height = 'auto';
  composer.style.height = `${Math.min(composer.scrollHeight, innerHeight * 0.4)}px`;
  $('send').disabled = !canSend();
}

function stage(files) {
  for (const file of files) {
    if (file.size > MAX_FILE) notify(`${file.name} is too big: ${formatSize(file.size)}, the limit is ${formatSize(MAX_FILE)}.`);
    else stageOne(file);
  }
  composed();
  composer.focus();
}

function stageOne(file) {
  const item = { file, preview: isPicture(file.name) ? URL.createObjectURL(file) : null };
  const node = make('li', 'chip');
  if (item.preview) {
    const thumbnail = make('img');
    thumbnail.src = item.preview;
    thumbnail.alt = '';
    node.append(thumbnail);
  }
  const close = closeButton(`Remove ${file.name}`, () => {
    staged.splice(staged.indexOf(item), 1);
    if (item.preview) URL.revokeObjectURL(item.preview);
    node.remove();
    composed();
    composer.focus();
  });
  node.append(...labelOf(file), close);
  $('staged').append(node);
  staged.push(item);
}

/** A folder looks like a file until it is read. */
function droppedFiles(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === 'file');
  if (items.some((item) => item.webkitGetAsEntry()?.isDirectory)) notify('Folders cannot be sent, only files.');
  return items.filter((item) => !item.webkitGetAsEntry()?.isDirectory).map((item) => item.getAsFile());
}

function stopQuoting() {
  unquote();
  composer.focus();
}

function onComposerKey(event) {
  if (event.key === 'ArrowUp' && composer.value === '' && !event.isComposing && editLast()) event.preventDefault();
  // The Enter that ends an input method's composition belongs to it (229 where isComposing comes late).
  const composing = event.isComposing || event.keyCode === 229;
  if (event.key !== 'Enter' || event.shiftKey || composing) return;
  event.preventDefault();
  submit();
}

/** Puts the last message into the composer again; false if there is none that can be changed. */
function editLast() {
  const entry = lastOwn();
  if (entry) edit(entry.message);
  return Boolean(entry);
}

function onKey(event) {
  if (event.key !== 'Escape' || event.isComposing) return;
  if (editedId() !== undefined) stopEditing();
  else if (quotedId() !== undefined) stopQuoting();
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

composer.addEventListener('input', composed);
composer.addEventListener('keydown', onComposerKey);
$('send').addEventListener('click', submit);
$('attach').addEventListener('click', () => $('file').click());
$('file').addEventListener('change', ({ target }) => {
  stage(target.files);
  target.value = '';
});
$('unquote').addEventListener('click', stopQuoting);
$('stop-editing').addEventListener('click', stopEditing);
window.addEventListener('keydown', onKey);
window.addEventListener('paste', onPaste);
for (const type of ['dragenter', 'dragover', 'dragleave', 'drop']) window.addEventListener(type, onDrag);
// The width decides where the text wraps, and the window's height how much of it may show.
new ResizeObserver(composed).observe($('log'));
