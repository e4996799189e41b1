// Permission prompts that this page may not show: that they are there, and how it gets to see them.

import { announce } from '/alert.js';
import { $, make } from '/dom.js';
import { forgetKey, ownKey } from '/key.js';

const COMMAND = 'tidegate open fakechat';

let dismissed;
let known = 0;

/** What the host has said: whether this page may answer, and how many prompts wait. */
export function showWaiting({ owner, waiting }) {
  const outdated = !owner && Boolean(ownKey());
  const text = owner ? '' : textOf(outdated, waiting);
  if (!text) dismissed = undefined;
  $('waiting').hidden = !text || text === dismissed;
  if (text && waiting > known) announce('A permission prompt waits', 'Open the page with its link to answer it.');
  known = waiting;
  if (text === $('waiting-text').dataset.text) return;
  $('waiting-text').dataset.text = text;
  $('waiting-text').replaceChildren(...(text ? [`${text} `, make('code', '', COMMAND), ' in a terminal shows it.'] : []));
}

function textOf(outdated, waiting) {
  const prompts = waiting === 1 ? 'A permission prompt waits.' : `${waiting} permission prompts wait.`;
  if (outdated) return `${waiting ? `${prompts} ` : ''}The link of this page is no longer good. To answer permission prompts here, open the new one:`;
  return waiting ? `${prompts} To answer here, open the link with the key:` : '';
}

$('waiting-close').addEventListener('click', () => {
  dismissed = $('waiting-text').dataset.text;
  $('waiting').hidden = true;
  forgetKey();
  $('composer').focus();
});
