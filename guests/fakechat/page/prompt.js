// Permission prompts: what the session may not do before somebody has said yes. Only a browser that may
// answer them gets any.

import { announce } from '/alert.js';
import { connected, send } from '/connection.js';
import { $, button, icon, make } from '/dom.js';
import { entryOf, grown, insert, remove } from '/log.js';
import { textOf, timeOf } from '/message.js';
import { notify } from '/notice.js';

/** A press that nothing has come of for so long may be repeated. */
const PATIENCE = 5000;
/** Buttons that have just come or moved do nothing yet: a click on its way was meant for something else. */
const CALM = 400;
const UNHEARD = 'Nothing came of it. You can try again.';
const LOCKED = 'This page may no longer answer.';

const STYLES = new Set(['positive', 'negative', 'neutral']);

let mayAnswer = false;

/** A new prompt, or what has become of one. */
export function showPrompt(frame) {
  const isNew = show(readPrompt(frame));
  grown(isNew ? 1 : 0, isNew ? 1 : 0);
  if (isNew) announce('A permission prompt waits', 'The session asks whether a tool may run.');
}

/** All that the server knows. One that is younger than all of these may have come while they were gathered. */
export function showPrompts(frames) {
  const prompts = frames.map(readPrompt);
  const listed = new Set(prompts.map(({ id }) => id));
  const newest = Math.max(...prompts.map(({ ts }) => ts));
  for (const { message: { id, ts } } of entries()) if (!listed.has(id) && ts <= newest) remove(id);
  const first = entries().length === 0;
  const open = prompts.filter((prompt) => show(prompt) && prompt.buttons.length > 0).length;
  grown(first ? 0 : open, first ? 0 : open);
}

/** Whether this page may answer. A server that was started again may no longer honour its key. */
export function allowAnswers(may) {
  $('owner').hidden = !may;
  if (mayAnswer === may) return;
  mayAnswer = may;
  entries().forEach(fill);
}

function entries() {
  return [...$('log').querySelectorAll('.prompt')].map(({ dataset }) => entryOf(dataset.id));
}

function readPrompt({ id, text, ts, plain, buttons, decided }) {
  return {
    id: String(id),
    from: 'prompt',
    text: String(text ?? ''),
    ts: Number.isFinite(ts) ? ts : Date.now(),
    plain,
    decided: Number.isFinite(decided) ? decided : undefined,
    buttons: (Array.isArray(buttons) ? buttons : []).map(({ action, label, style }) => ({
      action: String(action), label: String(label), style: STYLES.has(style) ? style : 'neutral',
    })),
  };
}

/** True if it was not there before. */
function show(message) {
  const known = entryOf(message.id);
  if (known && JSON.stringify(known.message) === JSON.stringify(message)) return false;
  const entry = known ?? newEntry(message.id);
  entry.message = message;
  fill(entry);
  if (known) return false;
  insert(entry);
  return true;
}

function newEntry(id) {
  const node = make('section', 'prompt');
  const card = make('div', 'prompt-card');
  const head = make('div', 'prompt-head');
  const title = make('h2', 'prompt-title', 'Permission');
  const entry = {
    node,
    facts: make('span', 'facts'),
    body: make('div', 'prompt-body'),
    choices: make('div', 'choices'),
    state: make('p', 'prompt-state'),
  };
  title.id = `prompt-${id}`;
  head.append(icon('permission'), title, entry.facts);
  card.append(head, entry.body, entry.choices, entry.state);
  node.append(card);
  node.dataset.id = id;
  node.tabIndex = -1;
  node.role = 'group';
  node.ariaLive = 'polite';
  node.setAttribute('aria-labelledby', title.id);
  return entry;
}

function fill(entry) {
  const { message, node, facts, body, choices, state } = entry;
  const focused = node.contains(document.activeElement) ? document.activeElement : null;
  const open = message.buttons.length > 0;
  node.classList.toggle('decided', !open);
  facts.replaceChildren(timeOf(open || !message.decided ? message : { ts: message.decided }));
  body.replaceChildren(open ? textOf(message) : folded(textOf(message)));
  choices.replaceChildren(...(mayAnswer ? message.buttons.map((choice) => choiceOf(entry, choice)) : []));
  choices.classList.remove('busy');
  clearTimeout(entry.timer);
  state.textContent = open && !mayAnswer ? LOCKED : '';
  if (open && mayAnswer) rest(entry, CALM);
  if (focused && !node.contains(document.activeElement)) focusAgain(entry, focused.dataset.action);
}

/** What was decided stays in sight, what it was about folds away. */
function folded(text) {
  const rest = [...text.childNodes].slice(1);
  if (rest.length === 0) return text;
  const details = make('details', 'asked');
  details.append(make('summary', '', 'What was asked'), ...rest);
  text.append(details);
  return text;
}

/** Whoever has pressed with the keyboard stays where they were. */
function focusAgain({ node, choices }, action) {
  const same = [...choices.children].find((choice) => choice.dataset.action === action);
  (same ?? node).focus({ preventScroll: true });
}

function choiceOf(entry, { action, label, style }) {
  const choice = button(`choice ${style}`, label, () => press(entry, choice));
  choice.dataset.action = action;
  return choice;
}

function press(entry, choice) {
  if (choice.ariaDisabled === 'true') return;
  if (!connected()) {
    notify('There is no connection: your answer was not sent.');
    return;
  }
  send({ press: choice.dataset.action, message: entry.message.id });
  choice.classList.add('pressed');
  entry.choices.classList.add('busy');
  entry.state.textContent = '';
  rest(entry, PATIENCE, UNHEARD);
}

/** Lets nothing be pressed for a while. They stay in the tab order: the focus is not to get lost. */
function rest(entry, milliseconds, then = '') {
  for (const choice of entry.choices.children) choice.ariaDisabled = 'true';
  entry.timer = setTimeout(() => {
    entry.state.textContent = then;
    grown();
    entry.choices.classList.remove('busy');
    for (const choice of entry.choices.children) {
      choice.ariaDisabled = null;
      choice.classList.remove('pressed');
    }
  }, milliseconds);
}
