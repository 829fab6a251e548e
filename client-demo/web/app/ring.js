/** Calling somebody from the lobby, and being called: in the demo a person's identity is the name they give. */

import { CallError, Phone } from '../sdk/index.js';
import { byId, notice, setText } from './dom.js';

/** @import {Ring} from '../sdk/index.js' */
/** @import {RingState} from '../sdk/wire.js' */

/** @type {Partial<Record<RingState, (name: string) => string>>} How a call ended, for the one who called. */
const ENDS = {
  rejected: (name) => `${name} declined.`,
  busy: (name) => `${name} is in another call. They will see that you called.`,
  missed: (name) => `${name} did not answer.`,
  ended: (name) => `The call with ${name} is over.`,
};

export class Ringing {
  #createPhone;
  #enter;
  /** @type {Phone | null} */ #phone = null;
  /** @type {Ring | null} The one that rings here, or that we talk in. */ #ring = null;
  #dialog = byId('ring-dialog', HTMLDialogElement);
  #name = '';

  /**
   * @param {(identity: string, name: string) => Phone | null} createPhone null: calls do not ring here
   * @param {(ring: Ring) => void} enter the call was accepted
   */
  constructor(createPhone, enter) {
    this.#createPhone = createPhone;
    this.#enter = enter;
    byId('ring-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#invite(byId('ring-to', HTMLInputElement).value.trim());
    });
    byId('ring-accept').addEventListener('click', () => void this.#act('accept'));
    byId('ring-reject').addEventListener('click', () => void this.#act(this.#ring?.role === 'caller' ? 'end' : 'reject'));
    this.#dialog.addEventListener('cancel', (event) => event.preventDefault()); // Escape declines nobody.
  }

  /** People reach us under this name from now on. @param {string} name */
  listen(name) {
    if (name === this.#name && this.#phone?.state !== 'closed') return;
    this.#name = name;
    this.#phone?.close();
    this.#phone = name === '' ? null : this.#createPhone(identityOf(name), name);
    byId('ring-form').hidden = this.#phone === null;
    this.#phone?.on('incoming', (ring) => this.#show(ring));
  }

  /** We have left the room of a call. */
  hangUp() {
    const ring = this.#ring;
    this.#ring = null;
    if (ring?.state === 'accepted') ring.end().catch(() => {});
  }

  /** @param {string} to */
  async #invite(to) {
    notice(byId('ring-notice'), '');
    if (to === '' || !this.#phone || this.#ring) return;
    try {
      this.#show(await this.#phone.invite(identityOf(to)), to);
    } catch (error) {
      const words = error instanceof CallError && error.code === 'bad_identity' ? 'That is you.' : /** @type {Error} */ (error).message;
      notice(byId('ring-notice'), words, 'warning');
    }
  }

  /** @param {Ring} ring @param {string} [name] */
  #show(ring, name = ring.name) {
    if (this.#ring) return; // We talk: the server tells others that we are busy.
    this.#ring = ring;
    const own = ring.role === 'caller';
    const changed = (/** @type {RingState} */ state) => {
      if (ring !== this.#ring) return;
      if (state === 'ringing') return setText(byId('ring-words'), own ? 'It is ringing …' : 'is calling you');
      this.#dialog.close();
      if (state === 'accepted') return this.#enter(ring);
      this.#ring = null;
      const words = own ? (ENDS[state]?.(name) ?? '') : state === 'cancelled' || state === 'missed' ? `You missed a call of ${name}.` : '';
      notice(byId('ring-notice'), words);
    };
    setText(byId('ring-name'), name);
    setText(byId('ring-words'), own ? 'Calling …' : 'is calling you');
    byId('ring-accept').hidden = own;
    setText(byId('ring-reject'), own ? 'Cancel' : 'Decline');
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
