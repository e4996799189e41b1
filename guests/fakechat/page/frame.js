// What the server says.

import { announce } from '/alert.js';
import { forgetFailures } from '/connection.js';
import { $ } from '/dom.js';
import { entryOf, grown, mergeHistory, show } from '/log.js';
import { readMessage, snippet } from '/message.js';
import { notify } from '/notice.js';
import { savePending, settle, uploadNext } from '/outbox.js';
import { allowAnswers, showPrompt, showPrompts } from '/prompt.js';
import { showWaiting } from '/waiting.js';

const WORKING_FOR = 6000;

let workingTimer;

export function receive(data) {
  let frame;
  try {
    frame = JSON.parse(data);
  } catch {
    return;
  }
  if (Object.hasOwn(onFrame, frame?.type)) onFrame[frame.type](frame);
}

export function showWorking(working) {
  clearTimeout(workingTimer);
  if (working) workingTimer = setTimeout(showWorking, WORKING_FOR, false);
  $('working').hidden = !working;
}

const onFrame = {
  msg(frame) {
    const message = readMessage(frame);
    const isNew = !entryOf(message.id);
    const mine = message.from === 'user';
    if (!mine) showWorking(false);
    show(message);
    savePending();
    grown(isNew ? 1 : 0, isNew && !mine ? 1 : 0);
    if (isNew && !mine) announce('Session', snippet(message));
  },

  edit({ id, text }) {
    const entry = entryOf(id);
    // One's own edit, made here and not yet known to the server, is the newer one.
    if (!entry || entry.message.change) return;
    show({ ...entry.message, text: String(text ?? ''), edited: true }, { pending: entry.pending });
    grown();
  },

  history({ messages }) {
    forgetFailures();
    mergeHistory(messages);
    savePending();
    uploadNext();
  },

  typing() {
    showWorking(true);
  },

  ack({ id }) {
    settle(id);
  },

  error({ text }) {
    notify(String(text));
  },

  /** The host's own word, at first and whenever it changes. */
  host({ owner, waiting }) {
    allowAnswers(Boolean(owner));
    showWaiting({ owner: Boolean(owner), waiting: Number(waiting) || 0 });
  },

  prompt(frame) {
    showPrompt(frame);
  },

  prompts({ prompts }) {
    showPrompts(prompts);
  },

  notice({ text }) {
    notify(String(text), { calm: true });
  },
};
