/** The chat panel, and raised hands: both are messages of the room. */

import { CallError, hueOf } from '../sdk/index.js';
import { byId, make, setText } from './dom.js';

/** @import {Call} from '../sdk/index.js' */
/** @import {Message} from '../sdk/wire.js' */

/** Whoever stops typing for so long has stopped. */
const TYPING_FOR_MS = 4_000;
/** Messages shown; more are in the log. */
const SHOWN = 300;

export class Chat {
  #panel = byId('chat');
  #button = byId('toggle-chat');
  #hand = byId('toggle-hand');
  #badge = byId('chat-badge');
  #list = byId('chat-list');
  #typing = byId('chat-typing');
  #text = byId('chat-text', HTMLTextAreaElement);
  #problem = byId('chat-problem');
  /** @type {Call | null} */ #call = null;
  #unread = 0;
  /** @type {Map<string, boolean>} By participant. */ #hands = new Map();
  /** @type {Map<string, any>} Who is typing, with what ends it. */ #typists = new Map();
  #saidTyping = 0;
  #handsChanged;

  /** @param {() => void} handsChanged */
  constructor(handsChanged) {
    this.#handsChanged = handsChanged;
    this.#button.addEventListener('click', () => this.open(this.#panel.hidden));
    this.#hand.addEventListener('click', () => void this.#toggleHand());
    this.#panel.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      this.open(false);
      this.#button.focus();
    });
    byId('chat-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#send();
    });
    this.#text.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void this.#send();
    });
    this.#text.addEventListener('input', () => this.#sayTyping());
  }

  /** @param {Call | null} call from its making on, so that nothing is missed */
  use(call) {
    this.#call = call;
    this.#hands.clear();
    this.#typists.clear();
    this.#unread = 0;
    this.#list.replaceChildren();
    this.#text.value = '';
    this.#render();
    if (!call) return this.open(false);
    call.messages.on('message', (message) => call === this.#call && this.#hear(message));
    call.messages.on('changed', () => call === this.#call && this.#render());
    call.messages.on('state', ({ participant, key, value }) => {
      if (call === this.#call && key === 'typing') this.#types(participant, value === 'true');
    });
    call.on('grants', () => call === this.#call && this.#render());
  }

  /** @param {string} participant */
  handOf(participant) {
    return this.#hands.get(participant) ?? false;
  }

  /** @param {boolean} open */
  open(open) {
    this.#panel.hidden = !open;
    this.#button.setAttribute('aria-expanded', String(open));
    if (!open) return;
    this.#unread = 0;
    this.#render();
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#text.focus();
  }

  /** @param {Message} message */
  #hear(message) {
    if (message.topic === 'hand') {
      this.#hands.set(message.participant, message.body === 'up');
      this.#handsChanged();
    }
    if (message.topic !== 'chat') return;
    this.#types(message.participant, false);
    if (this.#panel.hidden && message.participant !== this.#call?.self) this.#unread += 1;
  }

  async #send() {
    const [call, body] = [this.#call, this.#text.value.trim()];
    if (!call || body === '') return;
    this.#text.value = '';
    this.#saidTyping = 0;
    setText(this.#problem, '');
    try {
      await call.messages.post('chat', body);
    } catch (error) {
      if (call !== this.#call || !(error instanceof CallError) || error.code === 'gone') return;
      setText(this.#problem, `“${body.slice(0, 40)}” was not sent: ${error.message}`);
      if (this.#text.value === '') this.#text.value = body; // To try again.
    }
  }

  async #toggleHand() {
    const call = this.#call;
    if (!call?.self) return;
    const up = !this.handOf(call.self);
    this.#hand.setAttribute('aria-pressed', String(up));
    await call.messages.post('hand', up ? 'up' : 'down').catch(() => {});
    this.#render();
  }

  #sayTyping() {
    const now = performance.now();
    if (!this.#call || now - this.#saidTyping < TYPING_FOR_MS / 2) return;
    this.#saidTyping = now;
    this.#call.messages.setState('typing', 'true');
  }

  /** @param {string} participant @param {boolean} types */
  #types(participant, types) {
    clearTimeout(this.#typists.get(participant));
    this.#typists.delete(participant);
    if (types) this.#typists.set(participant, setTimeout(() => this.#types(participant, false), TYPING_FOR_MS));
    const names = this.#call?.participants.filter(({ id }) => this.#typists.has(id)).map(({ name }) => name) ?? [];
    setText(this.#typing, names.length === 0 ? '' : names.length === 1 ? `${names[0]} is typing …` : 'Several people are typing …');
  }

  #render() {
    const call = this.#call;
    this.#badge.hidden = this.#unread === 0;
    setText(this.#badge, this.#unread > 99 ? '99+' : String(this.#unread));
    this.#button.setAttribute('aria-label', this.#unread > 0 ? `Chat, ${this.#unread} new` : 'Chat');
    const may = call?.grants?.data ?? true;
    this.#text.disabled = !may;
    this.#text.placeholder = may ? 'Message to everybody' : 'You may not write here';
    byId('toggle-hand', HTMLButtonElement).disabled = !may;
    if (!call) return;
    this.#hand.setAttribute('aria-pressed', String(call.self !== null && this.handOf(call.self)));
    if (this.#panel.hidden) return;
    const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 40;
    const said = call.messages.list.filter(({ topic }) => topic === 'chat').slice(-SHOWN);
    const drafts = call.messages.waiting.filter(({ topic }) => topic === 'chat');
    // Only what is new is added, so that screen readers hear each message once.
    const known = new Set([...this.#list.children].map((item) => /** @type {HTMLElement} */ (item).dataset.key));
    const wanted = [
      ...said.map((message) => ({ key: String(message.seq), view: () => messageView(message, message.participant === call.self) })),
      ...drafts.map((draft) => ({ key: draft.key, view: () => draftView(draft.body, call.name) })),
    ];
    const keys = new Set(wanted.map(({ key }) => key));
    for (const item of [...this.#list.children]) if (!keys.has(/** @type {HTMLElement} */ (item).dataset.key ?? '')) item.remove();
    for (const { key, view } of wanted) {
      if (known.has(key)) continue;
      const item = view();
      item.dataset.key = key;
      const firstDraft = [...this.#list.children].find((one) => one.classList.contains('draft'));
      if (item.classList.contains('draft') || !firstDraft) this.#list.append(item);
      else firstDraft.before(item);
    }
    byId('chat-empty').hidden = wanted.length > 0;
    if (atEnd) this.#list.scrollTop = this.#list.scrollHeight;
  }
}

/** @param {Message} message @param {boolean} own */
function messageView({ name, at_ms, body }, own) {
  const at = new Date(at_ms);
  const time = make('time', '', at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }));
  time.dateTime = at.toISOString();
  const who = make('b', '', own ? 'You' : name);
  who.style.setProperty('--hue', String(Math.round(hueOf(name))));
  return make('li', own ? 'said own' : 'said', who, time, make('p', '', body));
}

/** @param {string} body @param {string} name */
function draftView(body, name) {
  const who = make('b', '', 'You');
  who.style.setProperty('--hue', String(Math.round(hueOf(name))));
  return make('li', 'said own draft', who, make('time', '', 'sending …'), make('p', '', body));
}
