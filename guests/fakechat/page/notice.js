import { $, closeButton, make } from '/dom.js';

export function notify(text) {
  const notice = make('div', 'notice', text);
  notice.append(closeButton('Dismiss', () => notice.remove()));
  $('notices').append(notice);
  setTimeout(() => notice.remove(), 10000);
}
