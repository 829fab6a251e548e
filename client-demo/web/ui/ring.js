/** Calling somebody from the lobby, and being called: in the demo a person's identity is the name they give. */

import { CallError, Phone } from '../sdk/index.js';
import { notice, setText } from './dom.js';

/** @import {Ring, RingState} from '../sdk/index.js' */
/** @import {Surface} from './dom.js' */

export class Ringing {
  #surface;
  #createPhone;
  #enter;
  /** @type {Phone | null} */ #phone = null;
  /** @type {Ring | null} The one that rings here, or that we talk in. */ #ring = null;
  #dialog;
  #name = '';

  /**
   * @param {Surface} surface
   * @param {(identity: string, name: string) => Phone | null} createPhone null: calls do not ring here
   * @param {(ring: Ring) => void} enter the call was accepted
   */
  constructor(surface, createPhone, enter) {
    this.#surface = surface;
    this.#dialog = surface.find('ring-dialog', HTMLDialogElement);
    this.#createPhone = createPhone;
    this.#enter = enter;
    this.#surface.find('ring-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.invite(this.#surface.find('ring-to', HTMLInputElement).value.trim());
    });
    this.#surface.find('ring-accept').addEventListener('click', () => void this.#act('accept'));
    this.#surface.find('ring-reject').addEventListener('click', () => void this.#act(this.#ring?.role === 'caller' ? 'end' : 'reject'));
    this.#dialog.addEventListener('cancel', (event) => event.preventDefault()); // Escape declines nobody.
  }

  /** People reach us under this name from now on. @param {string} name */
  listen(name) {
    if (name === this.#name && this.#phone?.state !== 'closed') return;
    this.#name = name;
    this.#phone?.close();
    this.#phone = name === '' ? null : this.#createPhone(identityOf(name), name);
    this.#surface.find('ring-form').hidden = this.#phone === null;
    this.#phone?.on('incoming', (ring) => this.#show(ring));
  }

  /** We have left the room of a call. */
  hangUp() {
    const ring = this.#ring;
    this.#ring = null;
    if (ring?.state === 'accepted') ring.end().catch(() => {});
  }

  /** Nobody rings here any more. */
  close() {
    this.hangUp();
    this.#phone?.close();
    this.#dialog.close();
  }

  /** @param {string} to */
  async invite(to) {
    notice(this.#surface.find('ring-notice'), '');
    if (to === '' || !this.#phone || this.#ring) return;
    try {
      this.#show(await this.#phone.invite(identityOf(to)), to);
    } catch (error) {
      const words = error instanceof CallError && error.code === 'bad_identity' ? this.#surface.words.ring.yourself : /** @type {Error} */ (error).message;
      notice(this.#surface.find('ring-notice'), words, 'warning');
    }
  }

  /** @param {Ring} ring @param {string} [name] */
  #show(ring, name = ring.name) {
    if (this.#ring) return; // We talk: the server tells others that we are busy.
    this.#ring = ring;
    const own = ring.role === 'caller';
    const { ring: words } = this.#surface.words;
    const changed = (/** @type {RingState} */ state) => {
      if (ring !== this.#ring) return;
      if (state === 'ringing') return setText(this.#surface.find('ring-words'), own ? words.ringing : words.incoming);
      this.#dialog.close();
      if (state === 'accepted') return this.#enter(ring);
      this.#ring = null;
      /** @type {Partial<Record<RingState, (name: string) => string>>} */
      const ends = own ? { rejected: words.rejected, busy: words.busy, missed: words.unanswered, ended: words.over } : { cancelled: words.missed, missed: words.missed };
      notice(this.#surface.find('ring-notice'), ends[state]?.(name) ?? '');
    };
    setText(this.#surface.find('ring-name'), name);
    setText(this.#surface.find('ring-words'), own ? words.calling : words.incoming);
    this.#surface.find('ring-accept').hidden = own;
    setText(this.#surface.find('ring-reject'), own ? words.cancel : words.decline);
    ring.on('state', changed);
    this.#dialog.showModal();
    changed(ring.state);
  }

  /** @param {'accept' | 'reject' | 'end'} act */
  async #act(act) {
    const ring = this.#ring;
    if (!ring) return this.#dialog.close();
    // A call that is over meanwhile has told so itself.
    await ring[act]().catch(() => {});
  }
}

/** @param {string} name */
const identityOf = (name) => name.trim().toLowerCase();
