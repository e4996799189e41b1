// Whether a session takes what is written here, and why not: the host says it at /.well-known/tidegate.

import { $ } from '/dom.js';

/** The server has refused the connection: it knows why. */
export async function showRefusal() {
  try {
    const response = await fetch('/.well-known/tidegate', { cache: 'no-store' });
    const { listening, reason } = await response.json();
    show(listening ? '' : reason);
  } catch {
    // The server is gone meanwhile: the connection's own sign says so.
    show('');
  }
}

export function hideRefusal() {
  show('');
}

function show(reason) {
  $('refusal').hidden = !reason;
  // A live region speaks whenever its text is set: only when it really changes.
  if ($('refusal-reason').textContent !== reason) $('refusal-reason').textContent = reason;
}
