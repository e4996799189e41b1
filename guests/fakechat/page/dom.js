export function $(id) {
  return document.getElementById(id);
}

export function make(tag, className = '', text = '') {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
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
