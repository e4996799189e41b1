import { $, closeButton, make } from '/dom.js';

/** Says what went wrong; calmly, where it is only good to know. */
export function notify(text, { calm = false } = {}) {
  const notice = make('div', calm ? 'notice calm' : 'notice', text);
  notice.append(closeButton('Dismiss', () => notice.remove()));
  $('notices').append(notice);
  setTimeout(() => notice.remove(), 10000);
}
