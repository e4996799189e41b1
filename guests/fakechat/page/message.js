// One message as the server sends it, and what can be said about it without knowing the others.

import { make } from '/dom.js';
import { renderPlain } from '/link.js';
import { renderMarkdown } from '/markdown.js';

const timeOfDay = new Intl.DateTimeFormat([], { hour: '2-digit', minute: '2-digit' });
const fullDate = new Intl.DateTimeFormat([], { dateStyle: 'full', timeStyle: 'medium' });
const dayName = new Intl.DateTimeFormat([], { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });

/** `change` is the id of an edit that the server has not confirmed. */
export function readMessage({ id, from, text, ts, replyTo, file, plain, edited, change }) {
  const side = from === 'user' ? 'user' : 'assistant';
  const time = Number.isFinite(ts) ? ts : Date.now();
  return { id: String(id), from: side, text: String(text ?? ''), ts: time, replyTo, file, plain, edited, change };
}

export function speaker(message) {
  return message.from === 'user' ? 'You' : 'Session';
}

export function snippet({ text, file, plain }) {
  const start = text.slice(0, 400);
  const bare = plain ? start : start.replace(/[*`#]+/g, '');
  return bare.replace(/\s+/g, ' ').trim().slice(0, 160) || file?.name || 'Message';
}

export function textOf(message) {
  const text = make('div', message.plain ? 'text plain' : 'text markdown');
  text.append(message.plain ? renderPlain(message.text) : renderMarkdown(message.text));
  return text;
}

export function timeOf({ ts }) {
  const date = new Date(ts);
  const time = make('time', '', timeOfDay.format(date));
  time.dateTime = date.toISOString();
  time.title = fullDate.format(date);
  return time;
}

export function dayOf({ ts }) {
  return new Date(ts).toDateString();
}

export function dayLabel(message) {
  const day = dayOf(message);
  const yesterday = new Date();
  yesterday.setDate(yesterday.getDate() - 1);
  if (day === new Date().toDateString()) return 'Today';
  return day === yesterday.toDateString() ? 'Yesterday' : dayName.format(message.ts);
}
