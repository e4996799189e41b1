// Whether a session takes what is written here, and why not: the host says it at /.well-known/tidegate.

import { $, make } from '/dom.js';

const KEPT = 'What you write stays in this tab, and is sent when a session receives messages.';

/** The server has refused the connection: it knows why. Calls `shown(waiting)` when that is known. */
export async function showRefusal(shown) {
  try {
    const response = await fetch('/.well-known/tidegate', { cache: 'no-store' });
    const { listening, waiting, reason } = await response.json();
    if (listening) hideRefusal();
    else if (waiting) show('The session is starting.', KEPT, true);
    else show('Nobody listens here:', `${reason}. ${KEPT}`, false);
    shown(Boolean(waiting));
  } catch {
    // The server is gone meanwhile: the connection's own sign says so.
    hideRefusal();
  }
}

export function hideRefusal() {
  $('refusal').hidden = true;
}

function show(title, text, calm) {
  $('refusal').hidden = false;
  $('refusal').classList.toggle('calm', calm);
  // A live region speaks whenever its text is set: only when it really changes.
  if ($('refusal-title').textContent !== title) $('refusal-title').textContent = title;
  const reason = $('refusal-reason');
  if (reason.dataset.text === text) return;
  reason.dataset.text = text;
  reason.replaceChildren(...spans(text));
}

/** What stands between backticks is code; a backtick without another stays what it is. */
function spans(text) {
  return text.split(/`([^`]+)`/).map((part, index) => (index % 2 ? make('code', '', part) : part));
}
