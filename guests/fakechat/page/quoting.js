// The message that the next one will answer.

import { $ } from '/dom.js';
import { snippet } from '/message.js';

let quoted;

export function quotedId() {
  return quoted;
}

export function quote(message) {
  quoted = message.id;
  $('quoting-who').textContent = `Reply to ${message.from === 'user' ? 'yourself' : 'the session'}`;
  $('quoting-text').textContent = snippet(message);
  $('quoting').hidden = false;
  $('composer').focus();
}

export function unquote() {
  quoted = undefined;
  $('quoting').hidden = true;
}
