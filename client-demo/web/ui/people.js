/** For whoever leads: who waits to be let in, what everybody is and may do, and which group they are in. */

import { make, setText } from './dom.js';

/** @import {Action, Call, Member, Role, Source} from '../sdk/index.js' */
/** @import {Surface} from './dom.js' */

/** @type {readonly Role[]} */
const ROLES = ['teacher', 'assistant', 'student', 'audience'];
/** @type {Record<'microphone' | 'camera' | 'screen', readonly Source[]>} What is switched together. */
const SWITCHES = { microphone: ['microphone'], camera: ['camera'], screen: ['screen', 'screen_audio'] };

/** @typedef {{id: string, name: string, role: Role | null, group: string | null}} Person */

export class People {
  #surface;
  #panel;
  #list;
  #waiting;
  /** @type {Call | null} */ #call = null;
  #drawn = '';
  #opened;

  /** @param {Surface} surface @param {() => void} opened */
  constructor(surface, opened) {
    this.#surface = surface;
    this.#opened = opened;
    this.#panel = surface.find('people');
    this.#list = surface.find('people-list');
    this.#waiting = surface.find('people-waiting');
    const click = (/** @type {string} */ id, /** @type {() => unknown} */ act) => surface.find(id).addEventListener('click', () => void act());
    const close = () => {
      this.open(false);
      surface.find('toggle-room-menu').focus();
    };
    click('open-people', () => {
      surface.find('room-menu').removeAttribute('open');
      this.open(true);
    });
    click('show-waiting', () => this.open(true));
    click('people-close', close);
    click('admit-all', () => this.#act({ do: 'admit' }));
    click('notice-admit-all', () => this.#act({ do: 'admit' }));
    click('make-groups', () => this.#makeGroups());
    click('share-out', () => this.#shareOut());
    click('recall', () => this.#act({ do: 'recall' }));
    click('end-groups', () => this.#act({ do: 'groups', groups: [] }));
    for (const name of /** @type {(keyof typeof SWITCHES)[]} */ (Object.keys(SWITCHES))) {
      surface.find(`may-${name}`).addEventListener('change', () => this.#publishing());
    }
    this.#panel.addEventListener('keydown', (event) => event.key === 'Escape' && close());
  }

  /** @param {Call | null} call */
  use(call) {
    this.#call = call;
    this.#drawn = '';
    if (!call) {
      this.#panel.hidden = true;
      this.#surface.find('waiting-notice').hidden = true;
      return;
    }
    for (const name of /** @type {const} */ (['waiting', 'groups', 'participants', 'room', 'grants', 'moved'])) {
      call.on(name, () => call === this.#call && this.#render());
    }
    this.#render();
  }

  /** @param {boolean} open */
  open(open) {
    this.#panel.hidden = !open;
    this.#drawn = '';
    this.#render();
    if (!open) return;
    this.#opened();
    this.#surface.find('people-title').focus();
  }

  /** @param {Action} action */
  #act(action) {
    const problem = this.#surface.find('people-problem');
    setText(problem, '');
    return this.#call?.moderate(action).catch((error) => setText(problem, this.#surface.words.people.failed(error.message)));
  }

  #makeGroups() {
    const { people: words } = this.#surface.words;
    const count = Math.min(50, Math.max(1, Math.round(Number(this.#surface.find('group-count', HTMLInputElement).value) || 1)));
    return this.#act({ do: 'groups', groups: Array.from({ length: count }, (_, index) => words.group(index + 1)) });
  }

  /** Those who do not lead, evenly and in their order. */
  async #shareOut() {
    const groups = this.#call?.groups.flatMap(({ group }) => (group === null ? [] : [group])) ?? [];
    const students = this.#persons().filter(({ id, role }) => id !== this.#call?.self && role !== 'teacher' && role !== 'assistant');
    for (const [index, group] of groups.entries()) {
      const participants = students.filter((_, at) => at % groups.length === index).map(({ id }) => id);
      if (participants.length > 0) await this.#act({ do: 'move', participants, group });
    }
  }

  #publishing() {
    const names = /** @type {(keyof typeof SWITCHES)[]} */ (Object.keys(SWITCHES));
    const on = names.filter((name) => this.#surface.find(`may-${name}`, HTMLInputElement).checked);
    return this.#act({ do: 'publishing', sources: on.flatMap((name) => SWITCHES[name]) });
  }

  /** Everybody, oneself first; with groups those of the other rooms, too. @returns {Person[]} */
  #persons() {
    const call = this.#call;
    if (!call || call.self === null) return [];
    const own = { id: call.self, name: call.name, role: call.role, group: call.group };
    const here = call.participants.map(({ id, name, role }) => ({ id, name, role: role ?? null, group: call.group }));
    const known = new Set([own.id, ...here.map(({ id }) => id)]);
    const elsewhere = call.groups.flatMap(({ group, people }) => people.filter(({ id }) => !known.has(id))
      .map(({ id, name, role }) => ({ id, name, role: role ?? null, group })));
    return [own, ...here, ...elsewhere];
  }

  #render() {
    const [call, { words }] = [this.#call, this.#surface];
    if (!call) return;
    const leads = call.grants?.moderate ?? false;
    const waiting = leads ? call.waiting : [];
    const bar = this.#surface.find('waiting-notice');
    bar.hidden = waiting.length === 0 || !this.#panel.hidden;
    if (waiting.length > 0) setText(this.#surface.find('waiting-notice-text'), waiting.length === 1 ? words.people.wants(waiting[0].name) : words.people.wait(waiting.length));
    setText(this.#surface.find('notice-admit-all'), waiting.length === 1 ? words.people.admit : words.people.admitAll);
    if (!leads) this.#panel.hidden = true;
    if (this.#panel.hidden) return;
    for (const [name, sources] of Object.entries(SWITCHES)) {
      this.#surface.find(`may-${name}`, HTMLInputElement).checked = sources.every((source) => call.setting.publish.includes(source));
    }
    const groups = call.groups.flatMap(({ group }) => (group === null ? [] : [group]));
    for (const id of ['share-out', 'recall', 'end-groups']) this.#surface.find(id).hidden = groups.length === 0;
    this.#surface.find('people-waits').hidden = waiting.length === 0;
    const persons = this.#persons();
    // Drawn anew only where something is new: a select that is open would close.
    const drawn = JSON.stringify([persons, groups, waiting]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#waiting.replaceChildren(...waiting.map((one) => this.#waiter(one)));
    this.#list.replaceChildren(...persons.map((person) => this.#person(person, groups)));
  }

  /** @param {Member} waiter */
  #waiter({ id, name }) {
    const { people: words } = this.#surface.words;
    const button = (/** @type {string} */ text, /** @type {string} */ label, /** @type {Action} */ action) => {
      const made = make('button', 'small-button', text);
      made.type = 'button';
      made.setAttribute('aria-label', label);
      made.addEventListener('click', () => void this.#act(action));
      return made;
    };
    const item = make('li', '', make('span', 'who', name),
      button(words.admit, words.admitOne(name), { do: 'admit', participant: id }),
      button(words.refuse, words.refuseOne(name), { do: 'refuse', participant: id }));
    item.dataset.waiting = name;
    return item;
  }

  /** @param {Person} person @param {string[]} groups */
  #person({ id, name, role, group }, groups) {
    const { people: words, you } = this.#surface.words;
    const own = id === this.#call?.self;
    const select = (/** @type {string} */ label, /** @type {[string, string][]} */ options, /** @type {string} */ value, /** @type {(value: string) => void} */ chosen) => {
      const made = make('select', '', ...options.map(([key, text]) => Object.assign(make('option', '', text), { value: key })));
      made.setAttribute('aria-label', label);
      made.value = value;
      made.addEventListener('change', () => chosen(made.value));
      return made;
    };
    const item = make('li', '', make('span', 'who', own ? you : name));
    item.dataset.person = name;
    /** @type {[string, string][]} */
    const roles = ROLES.map((one) => [one, words.roles[one]]);
    if (role === null) roles.unshift(['', words.noRole]);
    item.append(select(words.roleOf(name), roles, role ?? '', (value) => value && this.#act({ do: 'role', participant: id, role: /** @type {Role} */ (value) })));
    if (groups.length > 0) {
      const places = [['', words.main], ...groups.map((one) => [one, one])];
      item.append(select(words.groupOf(name), /** @type {[string, string][]} */ (places), group ?? '', (value) => this.#act({ do: 'move', participants: [id], group: value || null })));
    }
    return item;
  }
}
