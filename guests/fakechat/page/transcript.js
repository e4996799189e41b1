// The conversation as a Markdown file.

import { $ } from '/dom.js';
import { allEntries } from '/log.js';
import { speaker } from '/message.js';

function save() {
  const now = new Date();
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  const parts = [`# Conversation on fakechat\n\nSaved on ${now.toLocaleString()}.`];
  parts.push(...allEntries().filter(({ pending }) => !pending).map(({ message }) => paragraph(message)));
  const url = URL.createObjectURL(new Blob([`${parts.join('\n\n')}\n`], { type: 'text/markdown;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `fakechat-${day}.md`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function paragraph(message) {
  const who = message.from === 'prompt' ? 'Permission' : speaker(message);
  const facts = [new Date(message.ts).toLocaleString()];
  if (message.edited) facts.push('edited');
  const lines = [`## ${who}, ${facts.join(', ')}`];
  // Quoted: nothing in a text can pass for the heading of another.
  if (message.text.trim()) lines.push(message.text.trim().replaceAll('\r\n', '\n').replace(/^/gm, '> '));
  if (message.file) lines.push(`Attached: ${message.file.name}`);
  return lines.join('\n\n');
}

function two(number) {
  return String(number).padStart(2, '0');
}

$('save').addEventListener('click', save);
