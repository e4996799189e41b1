/** How often the character at `at` stands there in a row. */
export function runLength(text, at) {
  let end = at;
  while (text[end] === text[at] && end < text.length) end += 1;
  return end - at;
}

export function indentOf(line) {
  let indent = 0;
  while (line[indent] === ' ') indent += 1;
  return indent;
}

export function isBlank(text) {
  return text.trim() === '';
}

export function isPunctuation(char) {
  return char !== undefined && /[\p{P}\p{S}]/u.test(char);
}
