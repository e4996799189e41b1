const SVG = 'http://www.w3.org/2000/svg';

export function $(id) {
  return document.getElementById(id);
}

export function make(tag, className = '', text = '') {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** One of the symbols that index.html has, by its id. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const use = document.createElementNS(SVG, 'use');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.ariaHidden = 'true';
  use.setAttribute('href', `#${name}`);
  svg.append(use);
  return svg;
}

export function button(className, text, onClick) {
  const element = make('button', className, text);
  element.type = 'button';
  element.addEventListener('click', onClick);
  return element;
}

export function closeButton(label, onClick) {
  const element = button('close', '×', onClick);
  element.ariaLabel = label;
  return element;
}
