// The person's own message that the composer changes.

import { $ } from '/dom.js';
import { unquote } from '/quoting.js';

let edited;

export function editedId() {
  return edited;
}

/** Puts a message into the composer, to be sent once more. */
export function edit({ id, text }) {
  unquote();
  edited = id;
  $('editing').hidden = false;
  fill(text);
}

export function stopEditing() {
  if (edited === undefined) return;
  edited = undefined;
  $('editing').hidden = true;
  fill('');
}

function fill(text) {
  $('composer').value = text;
  $('composer').dispatchEvent(new Event('input'));
  $('composer').focus();
}
