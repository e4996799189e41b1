// The page's start: puts its parts together.

import { composed } from '/composer.js';
import { keepConnected, reconnectNow } from '/connection.js';
import { receive, showWorking } from '/frame.js';
import { arrangeAll } from '/log.js';
import { restorePending, sendPendingTexts } from '/outbox.js';
import '/search.js';
import '/transcript.js';
import { clearUnread } from '/view.js';

document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  clearUnread();
  reconnectNow();
  arrangeAll();
});

restorePending();
composed();
keepConnected({ opened: sendPendingTexts, received: receive, closed: () => showWorking(false) });
