/** The chat panel, and raised hands: both are messages of the room. */

import { CallError, hueOf } from '../sdk/index.js';
import { make, setText } from './dom.js';

/** @import {Call, Message} from '../sdk/index.js' */
/** @import {Surface} from './dom.js' */
/** @import {Words} from './words/index.js' */

/** Whoever stops typing for so long has stopped. */
const TYPING_FOR_MS = 4_000;
/** Messages shown; more are in the log. */
const SHOWN = 300;

export class Chat {
  #surface;
  #panel;
  #button;
  #hand;
  #badge;
  #list;
  #typing;
  #text;
  #problem;
  /** @type {Call | null} */ #call = null;
  #unread = 0;
  /** @type {Map<string, boolean>} By participant. */ #hands = new Map();
  /** @type {Map<string, any>} Who is typing, with what ends it. */ #typists = new Map();
  #saidTyping = 0;
  #handsChanged;

  /** @param {Surface} surface @param {() => void} handsChanged */
  constructor(surface, handsChanged) {
    this.#surface = surface;
    this.#panel = surface.find('chat');
    this.#button = surface.find('toggle-chat');
    this.#hand = surface.find('toggle-hand');
    this.#badge = surface.find('chat-badge');
    this.#list = surface.find('chat-list');
    this.#typing = surface.find('chat-typing');
    this.#text = surface.find('chat-text', HTMLTextAreaElement);
    this.#problem = surface.find('chat-problem');
    this.#handsChanged = handsChanged;
    this.#button.addEventListener('click', () => this.open(this.#panel.hidden));
    this.#hand.addEventListener('click', () => void this.#toggleHand());
    const close = () => {
      this.open(false);
      this.#button.focus();
    };
    surface.find('chat-close').addEventListener('click', close);
    this.#panel.addEventListener('keydown', (event) => event.key === 'Escape' && close());
    this.#surface.find('chat-form').addEventListener('submit', (event) => {
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
    call.on('moved', () => call === this.#call && this.#moved(call));
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

  /** Another room has another log, and other hands. @param {Call} call */
  #moved(call) {
    this.#hands.clear();
    this.#unread = 0;
    for (const typist of this.#typists.values()) clearTimeout(typist);
    this.#typists.clear();
    this.#list.replaceChildren();
    for (const message of call.messages.list) if (message.topic === 'hand') this.#hands.set(message.participant, message.body === 'up');
    this.#render();
    this.#handsChanged();
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
      setText(this.#problem, this.#surface.words.chat.notSent(body.slice(0, 40), error.message));
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
    const words = this.#surface.words.chat;
    setText(this.#typing, names.length === 0 ? '' : names.length === 1 ? words.types(names[0]) : words.severalType);
  }

  #render() {
    const [call, { words }] = [this.#call, this.#surface];
    this.#badge.hidden = this.#unread === 0;
    setText(this.#badge, this.#unread > 99 ? '99+' : String(this.#unread));
    this.#button.setAttribute('aria-label', this.#unread > 0 ? words.chat.unread(this.#unread) : words.chat.title);
    const may = call?.grants?.data ?? true;
    this.#text.disabled = !may;
    this.#text.placeholder = may ? words.chat.placeholder : words.chat.notAllowed;
    this.#surface.find('toggle-hand', HTMLButtonElement).disabled = !may;
    if (!call) return;
    this.#hand.setAttribute('aria-pressed', String(call.self !== null && this.handOf(call.self)));
    if (this.#panel.hidden) return;
    const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 40;
    const said = call.messages.list.filter(({ topic }) => topic === 'chat').slice(-SHOWN);
    const drafts = call.messages.waiting.filter(({ topic }) => topic === 'chat');
    // Only what is new is added, so that screen readers hear each message once.
    const known = new Set([...this.#list.children].map((item) => /** @type {HTMLElement} */ (item).dataset.key));
    const wanted = [
      ...said.map((message) => ({ key: String(message.seq), view: () => messageView(words, message, message.participant === call.self) })),
      ...drafts.map((draft) => ({ key: draft.key, view: () => draftView(words, draft.body, call.name) })),
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
    this.#surface.find('chat-empty').hidden = wanted.length > 0;
    if (atEnd) this.#list.scrollTop = this.#list.scrollHeight;
  }
}

/** @param {Words} words @param {Message} message @param {boolean} own */
function messageView(words, { name, at_ms, body }, own) {
  const at = new Date(at_ms);
  const time = make('time', '', at.toLocaleTimeString(words.locale, { hour: '2-digit', minute: '2-digit' }));
  time.dateTime = at.toISOString();
  return make('li', own ? 'said own' : 'said', whoView(own ? words.you : name, name), time, make('p', '', body));
}

/** @param {Words} words @param {string} body @param {string} name */
function draftView(words, body, name) {
  return make('li', 'said own draft', whoView(words.you, name), make('time', '', words.chat.sending), make('p', '', body));
}

/** @param {string} who as it is written @param {string} name */
function whoView(who, name) {
  const view = make('b', '', who);
  view.style.setProperty('--hue', String(Math.round(hueOf(name))));
  return view;
}
