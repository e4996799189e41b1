import { $ } from '/dom.js';
import { ownKey, takeKey } from '/key.js';
import { hideRefusal, showRefusal } from '/listening.js';

const FIRST_DELAY = 500;
const LONGEST_DELAY = 10000;
/** From this many failed attempts on the page says "offline" rather than "reconnecting". */
const OFFLINE_AFTER = 3;
/** The server is there, and takes nothing at the moment (RFC 6455: try again later). */
const AGAIN = 1013;
const REFUSED_DELAY = 1000;

const connection = { socket: null, failures: 0, refused: false, waiting: false, timer: 0, ticker: 0, retryAt: 0 };
let handlers;

/** Connects, and again whenever that is lost. Calls `opened()`, `received(data)` and `closed()`. */
export function keepConnected(whom) {
  handlers = whom;
  connect();
}

export function connected() {
  return connection.socket?.readyState === WebSocket.OPEN;
}

export function send(frame) {
  connection.socket.send(JSON.stringify(frame));
}

export function reconnectNow() {
  if (connection.retryAt) connect();
}

/** An open socket alone proves little: something in between may have accepted it. */
export function forgetFailures() {
  connection.failures = 0;
  connection.refused = false;
  connection.waiting = false;
  hideRefusal();
  showConnection();
}

function connect() {
  clearTimeout(connection.timer);
  clearInterval(connection.ticker);
  connection.retryAt = 0;
  const socket = new WebSocket(address());
  connection.socket = socket;
  socket.addEventListener('open', () => {
    showConnection();
    handlers.opened();
  });
  socket.addEventListener('message', (event) => handlers.received(event.data));
  socket.addEventListener('close', reconnectLater);
  showConnection();
}

function address() {
  const key = ownKey();
  // `host`: this page understands the host's own frames.
  const query = key ? `host&key=${encodeURIComponent(key)}` : 'host';
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws?${query}`;
}

/** The link may be opened in a tab that has the page already: then nothing is loaded again. */
function onHashChange() {
  if (!takeKey()) return;
  if (connection.retryAt) connect();
  else connection.socket.close();
}

function reconnectLater({ code }) {
  connection.refused = code === AGAIN;
  if (connection.refused) showRefusal(showWaiting);
  else hideRefusal();
  const delay = connection.refused ? REFUSED_DELAY : Math.min(FIRST_DELAY * 2 ** connection.failures, LONGEST_DELAY);
  connection.failures += 1;
  connection.retryAt = Date.now() + delay;
  connection.timer = setTimeout(connect, delay);
  connection.ticker = setInterval(showConnection, 250);
  handlers.closed();
  showConnection();
}

/** The session may be starting, which takes a second, or not take messages at all. */
function showWaiting(waiting) {
  connection.waiting = waiting;
  showConnection();
}

function showConnection() {
  const { failures, refused, waiting, retryAt } = connection;
  const offline = !refused && !connected() && failures >= OFFLINE_AFTER;
  // A socket that opens again may be refused in a moment.
  const [state, text] = refused && waiting ? ['connecting', 'Session is starting']
    : refused ? ['offline', 'Nobody listens']
    : connected() ? ['connected', 'Connected']
    : offline ? ['offline', 'Offline']
      : ['connecting', failures ? 'Reconnecting' : 'Connecting…'];
  $('status').dataset.state = state;
  // A live region speaks whenever its text is set: only when it really changes.
  if ($('status-text').textContent !== text) $('status-text').textContent = text;
  $('countdown').textContent = countdownText(offline);
  $('retry').hidden = !offline || !retryAt;
}

function countdownText(offline) {
  const { failures, refused, retryAt } = connection;
  if (refused || connected() || !failures) return '';
  if (!retryAt) return offline ? ', trying again…' : '…';
  const seconds = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
  return offline ? `, next try in ${seconds} s` : ` in ${seconds} s`;
}

$('retry').addEventListener('click', reconnectNow);
window.addEventListener('online', reconnectNow);
window.addEventListener('hashchange', onHashChange);
