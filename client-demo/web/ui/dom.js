/** The few things this interface asks of the frame it lives in, which is part of a document or of a shadow root. */

/** @import {Words} from './words/index.js' */

/** A frame that holds the markup, and the language it speaks. */
export class Surface {
  #frame;

  /** @param {HTMLElement} frame @param {Words} words */
  constructor(frame, words) {
    this.#frame = frame;
    this.words = words;
  }

  /**
   * The element with an id; the markup and the code are shipped together, so it is there.
   * @template {HTMLElement} [T=HTMLElement]
   * @param {string} id @param {new () => T} [type]
   * @returns {T}
   */
  find(id, type) {
    const element = this.#frame.querySelector(`#${id}`);
    if (!element || (type && !(element instanceof type))) throw new Error(`the markup has no fitting #${id}`);
    return /** @type {T} */ (element);
  }

  /**
   * Menus close by Escape, and by a click beside them.
   * @returns {() => void} ends it
   */
  closeMenus() {
    const open = () => /** @type {NodeListOf<HTMLDetailsElement>} */ (this.#frame.querySelectorAll('details.menu[open]'));
    const beside = (/** @type {Event} */ event) => {
      for (const menu of open()) if (!event.composedPath().includes(menu)) menu.open = false;
    };
    const escape = (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== 'Escape') return;
      for (const menu of open()) {
        menu.open = false;
        menu.querySelector('summary')?.focus();
      }
    };
    addEventListener('pointerdown', beside);
    addEventListener('keydown', escape);
    return () => {
      removeEventListener('pointerdown', beside);
      removeEventListener('keydown', escape);
    };
  }
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

/** @param {string} name one of the symbols in `markup.js` */
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
