import { make } from '/dom.js';

const PICTURE = /\.(png|jpe?g|gif|webp|avif)$/i;

export function isPicture(name) {
  return PICTURE.test(name);
}

export function attachmentOf({ file }, upload) {
  if (!file) return null;
  const url = upload ? upload.preview : ownAddress(file.url);
  return url && isPicture(file.name || file.url) ? pictureOf(file, url) : chipOf(file, upload ? null : url);
}

/** The session's files come from this server; anything else gets no link and is not loaded. */
function ownAddress(url) {
  if (!url || !URL.canParse(url, location.href)) return null;
  const address = new URL(url, location.href);
  return address.origin === location.origin ? address.href : null;
}

function pictureOf(file, url) {
  const frame = make('a', 'file framed');
  const picture = make('img', 'picture');
  frame.href = url;
  frame.target = '_blank';
  frame.rel = 'noopener';
  picture.alt = file.name;
  picture.title = file.name;
  picture.addEventListener('error', () => frame.replaceWith(chipOf(file, url)));
  picture.src = url;
  frame.append(picture);
  return frame;
}

function chipOf(file, url) {
  const chip = make(url ? 'a' : 'span', 'file');
  if (url) {
    chip.href = url;
    chip.download = file.name;
  }
  chip.append(...labelOf(file));
  return chip;
}

export function labelOf({ name, size }) {
  const label = [make('span', 'file-name', name || 'file')];
  if (Number.isFinite(size)) label.push(make('span', 'file-size', formatSize(size)));
  return label;
}

export function formatSize(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
