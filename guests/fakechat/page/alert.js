// Tells the person that something has come while they look elsewhere: a notification and a sound, if they want that.

import { $ } from '/dom.js';
import { notify } from '/notice.js';

const STORED = 'fakechat.alerts';
/** More than one in a moment is one, in milliseconds. */
const QUIET = 2000;

let on = false;
let last = 0;
let sound;

/** Says it if the page is not what the person looks at. */
export function announce(title, body) {
  if (!on || document.hasFocus() || Date.now() - last < QUIET) return;
  last = Date.now();
  chime();
  try {
    const shown = new Notification(title, { body, tag: 'fakechat', icon: '/icon.svg' });
    shown.addEventListener('click', () => {
      window.focus();
      shown.close();
    });
  } catch {
    // Some browsers for phones let only service workers do that. The sound is heard all the same.
  }
}

/** Two soft notes. A browser plays them only once the person has touched the page. */
function chime() {
  if (sound?.state !== 'running') return;
  [[660, 0], [880, 0.12]].forEach(([frequency, delay]) => {
    const [note, volume] = [sound.createOscillator(), sound.createGain()];
    const start = sound.currentTime + delay;
    note.frequency.value = frequency;
    volume.gain.setValueAtTime(0.08, start);
    volume.gain.exponentialRampToValueAtTime(0.001, start + 0.3);
    note.connect(volume).connect(sound.destination);
    note.start(start);
    note.stop(start + 0.3);
  });
}

async function toggle() {
  if (!on) wake();
  if (on) set(false);
  else if (!globalThis.Notification) notify('This browser has no notifications.');
  else if (await Notification.requestPermission() === 'granted') set(true);
  else notify('Your browser does not allow this page to show notifications: its settings for this site can.');
}

function set(value) {
  on = value;
  $('alerts').ariaPressed = String(on);
  $('alerts').title = on ? 'Notifications and sound are on' : 'Notifications and sound are off';
  try {
    if (on) localStorage.setItem(STORED, 'on');
    else localStorage.removeItem(STORED);
  } catch {
    // Storage is forbidden: it holds until the page is reloaded.
  }
}

/** A browser complains about sound that the person's own hand has not begun. */
function wake() {
  sound ??= new AudioContext();
  sound.resume();
}

function wasOn() {
  try {
    return localStorage.getItem(STORED) === 'on';
  } catch {
    return false;
  }
}

set(wasOn() && globalThis.Notification?.permission === 'granted');
$('alerts').addEventListener('click', toggle);
window.addEventListener('pointerdown', () => { if (on) wake(); }, { once: true });
