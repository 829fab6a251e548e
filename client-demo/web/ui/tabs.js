/** Whether another tab of this browser is in a call: two loudspeakers beside two microphones howl. */

/** @typedef {{type: 'ask' | 'here' | 'gone', tab: string}} TabMessage */

export class OtherTabs {
  #tab = Math.random().toString(36).slice(2);
  /** @type {Set<string>} */ #inCall = new Set();
  #here = false;
  /** @type {BroadcastChannel | null} */
  #channel = typeof BroadcastChannel === 'function' ? new BroadcastChannel('sampan-tabs') : null;

  constructor() {
    if (!this.#channel) return;
    this.#channel.onmessage = ({ data }) => this.#receive(data);
    this.#say('ask');
    addEventListener('pagehide', () => this.leave());
  }

  /** Some other tab is in a call now. */
  get inCall() {
    return this.#inCall.size > 0;
  }

  enter() {
    this.#here = true;
    this.#say('here');
  }

  leave() {
    if (this.#here) this.#say('gone');
    this.#here = false;
  }

  /** @param {TabMessage} message */
  #receive(message) {
    if (message.type === 'ask' && this.#here) this.#say('here');
    if (message.type === 'here') this.#inCall.add(message.tab);
    if (message.type === 'gone') this.#inCall.delete(message.tab);
  }

  /** @param {TabMessage['type']} type */
  #say(type) {
    this.#channel?.postMessage({ type, tab: this.#tab });
  }
}
