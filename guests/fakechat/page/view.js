// Where the person is in the log, and what came that they have not seen.

import { $ } from '/dom.js';

const log = $('log');
const pill = $('pill');
const view = { stuck: true, planned: false, top: 0, unseen: 0, unread: 0 };

/** After the log has grown by `count` messages of somebody else's. */
export function follow(count, fromSession) {
  if (view.stuck) keepAtBottom();
  else view.unseen += count;
  if (document.hidden) view.unread += fromSession;
  showPill();
  showTitle();
}

export function stick() {
  view.stuck = true;
}

export function reveal(node, { focus = true } = {}) {
  node.scrollIntoView({ block: 'center', behavior: motion() });
  if (focus) node.focus({ preventScroll: true });
  node.classList.add('lit');
  setTimeout(() => node.classList.remove('lit'), 1800);
}

export function clearUnread() {
  view.unread = 0;
  showTitle();
}

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
  pill.hidden = view.stuck;
  pill.textContent = view.unseen ? `${view.unseen} new message${view.unseen === 1 ? '' : 's'}` : 'Jump to latest';
}

function showTitle() {
  document.title = view.unread ? `(${view.unread}) tidegate` : 'tidegate';
}

function motion() {
  return matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth';
}

pill.addEventListener('click', () => toBottom(motion()));
log.addEventListener('scroll', onScroll, { passive: true });
// A picture's height is known only once it is there.
log.addEventListener('load', keepAtBottom, true);
new ResizeObserver(() => { if (view.stuck) toBottom(); }).observe(log);
