// What makes this browser one that may answer permission prompts: the key of the link that tidegate prints
// when it starts, and `tidegate open fakechat` shows.

const STORED = 'fakechat.key';

let key;

/** The key, if this tab came through a link that had one. */
export function ownKey() {
  takeKey();
  key ??= stored();
  return key;
}

/** Takes the key out of the address, where it could be read over a shoulder; false if there is none. */
export function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get('key');
  if (!given) return false;
  key = given;
  history.replaceState(history.state, '', location.pathname + location.search);
  try {
    sessionStorage.setItem(STORED, key);
  } catch {
    // Storage is forbidden: the key holds until the page is reloaded.
  }
  return true;
}

/** A key that is good for nothing any more. */
export function forgetKey() {
  key = undefined;
  try {
    sessionStorage.removeItem(STORED);
  } catch {
    // Then there is none.
  }
}

function stored() {
  try {
    return sessionStorage.getItem(STORED);
  } catch {
    return null;
  }
}
