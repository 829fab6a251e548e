/** The few things this page asks of the document. */

/**
 * The element with an id; the page's HTML and its code are shipped together, so it is there.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id @param {new () => T} [type]
 * @returns {T}
 */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (!element || (type && !(element instanceof type))) throw new Error(`index.html has no fitting #${id}`);
  return /** @type {T} */ (element);
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {string} [className] @param {...(Node | string)} children
 */
export function make(tag, className = '', ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** @param {string} name one of the symbols in index.html */
export function icon(name) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(space, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Writes text only where it differs, so that screen readers do not hear it again. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows or hides a notice. @param {HTMLElement} element @param {string} text empty: hidden @param {'info' | 'warning' | 'error'} [kind] */
export function notice(element, text, kind = 'info') {
  element.dataset.kind = kind;
  setText(element, text);
  element.hidden = text === '';
}

/** A button that is on or off, with an icon for each. @param {HTMLElement} button @param {string} name of the icon @param {boolean} on */
export function setPressed(button, name, on) {
  button.setAttribute('aria-pressed', String(on));
  button.querySelector('use')?.setAttribute('href', `#i-${on ? name : `${name}-off`}`);
}
