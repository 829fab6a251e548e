/** The whole interface: the lobby, the call, and what leads from one to the other. The demo page is this, and so is `<sampan-call>`. */

import { CallError, Emitter, MediaProblem, openScreen } from '../sdk/index.js';
import { Chat } from './chat.js';
import { notice, setPressed, setText } from './dom.js';
import { LocalMedia } from './local.js';
import { Lobby } from './lobby.js';
import { People } from './people.js';
import { Pointers } from './pointer.js';
import { Quality } from './quality.js';
import { Ringing } from './ring.js';
import { Stage } from './stage.js';
import { OtherTabs } from './tabs.js';
import { callWords, reconnectWords } from './words/index.js';

/** @import {Action, Call, Phone, Ring, Role} from '../sdk/index.js' */
/** @import {Surface} from './dom.js' */
/** @import {Given} from './lobby.js' */

/** The pill says at once that something is wrong; what and why comes when it lasts. */
const EXPLAIN_AFTER_MS = 2_000;

/** Time to read a sentence twice. */
const TELL_FOR_MS = 10_000;
/** Below it two panels leave too little of the stage: one at a time. */
const TWO_PANELS_PX = 1100;

/**
 * @typedef {object} AppEvents
 * @property {{room: string, title: string, ring: Ring | null}} joined
 * @property {{reason: CallError | null}} left   null: of our own will
 */

/** @extends {Emitter<AppEvents>} */
export class App extends Emitter {
  #surface;
  #createCall;
  #token;
  /** @type {string | null} Of encrypted calls. */ #key;
  #role;
  #ringing;
  /** @type {Call | null} */ #call = null;
  #local = new LocalMedia();
  #lobby;
  #stage;
  #quality;
  #chat;
  #people;
  #pointers;
  #tabs = new OtherTabs();
  #speakerOn = true;
  /** @type {{video: MediaStreamTrack, audio: MediaStreamTrack | null} | null} */ #screen = null;
  #rendering = false;
  /** @type {any} */ #explaining = null;
  #wasReconnecting = false;
  #title = '';
  /** @type {Role | null} */ #wasRole = null;
  #closed = false;
  #uncover;

  /**
   * @param {Surface} surface which holds the markup
   * @param {{createCall: (key: string | null) => Call, createPhone?: (identity: string, name: string) => Phone | null, given?: Given, token?: string | null,
   *   key?: string | null, role?: Role | null}} options
   *   where calls come from; `given`: what is known already; `token`: what lets us in; `key`: of encrypted calls; `role`: what to be on a server without tokens
   */
  constructor(surface, { createCall, createPhone = () => null, given = {}, token = null, key = null, role = null }) {
    super();
    this.#surface = surface;
    this.#token = token;
    this.#key = key;
    this.#role = role;
    this.#createCall = createCall;
    this.#stage = new Stage(surface, () => this.#soundBlocked(), (pinned) => this.#pinChanged(pinned));
    this.#quality = new Quality(surface);
    this.#chat = new Chat(surface, () => this.#render());
    this.#people = new People(surface, () => {
      if (!this.#hasRoomForOne()) return;
      this.#chat.open(false);
      this.#quality.open(false);
    });
    this.#pointers = new Pointers(surface);
    this.#ringing = new Ringing(surface, createPhone, (ring) => this.#enterRing(ring));
    this.#lobby = new Lobby(surface, this.#local, { ...given, encrypted: this.#key !== null }, (room, name) => this.#join(room, name), (name) => this.#lobbyChanged(name), () => this.#getReady(), () => this.leave());
    this.#local.on('changed', () => this.#render());
    const click = (/** @type {string} */ id, /** @type {() => unknown} */ act) => surface.find(id).addEventListener('click', () => void act());
    click('toggle-microphone', () => this.#local.set('microphone', !this.#local.isOn('microphone')));
    click('toggle-camera', () => this.#local.set('camera', !this.#local.isOn('camera')));
    click('toggle-screen', () => (this.#screen ? this.#stopScreen() : this.#shareScreen()));
    click('toggle-speaker', () => this.#setSpeaker(!this.#speakerOn));
    click('speaker-on', () => this.#setSpeaker(true));
    click('toggle-more', () => this.#showMore(!surface.find('more').classList.contains('open')));
    click('more', () => this.#showMore(false));
    for (const id of ['toggle-chat', 'toggle-quality']) click(id, () => this.#hasRoomForOne() && this.#people.open(false));
    click('leave', () => this.leave());
    const act = (/** @type {string} */ id, /** @type {(call: Call) => Action} */ action) => click(id, () => {
      surface.find('room-menu').removeAttribute('open');
      return this.#call?.moderate(action(this.#call)).catch(() => {});
    });
    act('mute-all', () => ({ do: 'stop', sources: ['microphone'] }));
    act('lock-room', (call) => ({ do: 'lock', locked: !call.setting.locked }));
    act('wait-room', (call) => ({ do: 'wait', waiting: !call.setting.waiting }));
    act('spotlight-off', () => ({ do: 'spotlight', participant: null }));
    surface.find('toggle-screen').hidden = !this.#lobby.environment.screen;
    const closeMenus = surface.closeMenus();
    const hide = () => this.leave();
    addEventListener('pagehide', hide);
    this.#uncover = () => {
      closeMenus();
      removeEventListener('pagehide', hide);
    };
    this.#openLobby();
  }

  /** The call that is prepared or goes on. */
  get call() {
    return this.#call;
  }

  /** As a click on Join. */
  join() {
    return this.#join(this.#lobby.room, this.#lobby.name);
  }

  leave() {
    this.#call?.leave();
  }

  /** Rings at somebody. @param {string} identity */
  ring(identity) {
    return this.#ringing.invite(identity);
  }

  /** Another key for this call and those that follow; encrypted or not is settled before a call is joined. @param {string | null} key */
  async setKey(key) {
    const [call, { words }] = [this.#call, this.#surface];
    try {
      await call?.setKey(key);
    } catch (error) {
      const why = error instanceof CallError && error.code === 'bad_key' ? callWords(words, error) : words.call.keyNeedsLeave;
      return call?.self ? notice(this.#surface.find('call-notice'), why, 'warning') : this.#lobby.refuse(why);
    }
    this.#key = key;
    this.#lobby.encrypt(key !== null);
    if (!call) return this.#openLobby(); // The key before was none.
    if (call.self) this.#announce(words.call.keyChanged);
  }

  /** The interface goes away for good. */
  close() {
    this.#closed = true;
    this.leave();
    this.#call = null;
    this.#ringing.close();
    this.#local.close();
    this.#uncover();
  }

  /** A call is made ready as soon as the lobby is open, so that Join is one message. */
  #openLobby() {
    const { words } = this.#surface;
    this.#surface.find('call').hidden = true;
    this.#lobby.busy(false);
    this.#lobby.waits(false);
    this.#lobby.show(true);
    if (!this.#lobby.environment.webrtc) return; // The lobby has said so.
    let call;
    try {
      call = this.#createCall(this.#key);
    } catch (error) {
      // Without its key the call would be another than what was asked for.
      return this.#lobby.refuse(callWords(words, /** @type {CallError} */ (error)));
    }
    this.#call = call;
    const mine = (/** @type {() => void} */ run) => () => call === this.#call && run();
    this.#chat.use(call);
    this.#pointers.use(call);
    call.on('reachable', (reachable) => call === this.#call && this.#lobby.reachable(reachable));
    call.on('participants', mine(() => this.#render()));
    call.on('stopped', (sources) => {
      if (call !== this.#call) return;
      for (const device of /** @type {const} */ (['camera', 'microphone'])) {
        if (sources.includes(device)) void this.#local.set(device, false);
      }
      if (sources.includes('screen')) this.#stopScreen();
      const what = sources.includes('microphone') ? words.call.muted : words.call.stopped;
      this.#announce(what);
      notice(this.#surface.find('call-notice'), what);
      this.#render();
    });
    call.on('grants', (grants) => {
      if (call !== this.#call) return;
      for (const device of /** @type {const} */ (['camera', 'microphone'])) {
        if (!grants.publish.includes(device)) void this.#local.set(device, false);
      }
      if (!grants.publish.includes('screen')) this.#stopScreen();
      this.#roleChanged(call.role);
      this.#render();
    });
    call.on('encryption', ({ participant, problem }) => {
      const name = call.participants.find(({ id }) => id === participant)?.name;
      if (call === this.#call && problem && name) this.#announce(words.tile.notPlayed(name, words.tile.problems[problem]));
    });
    call.on('moved', mine(() => this.#moved()));
    call.on('quality', mine(() => this.#render()));
    call.on('opened', (view) => {
      // Another tab of this browser would be heard twice.
      if (call === this.#call && !this.#tabs.inCall) this.#stage.hear(view);
    });
    call.on('bound', (view) => {
      view.on('shown', mine(() => this.#render()));
      this.#render();
    });
    call.on('arrived', (participant) => {
      if (call.state === 'joined') this.#announce(words.call.arrived(participant.name));
    });
    call.on('departed', (participant) => this.#announce(words.call.departed(participant.name)));
    call.on('state', mine(() => this.#stateChanged()));
    call.on('error', (error) => call === this.#call && this.#ended(error));
    this.#prepare(call);
    this.#ringing.listen(this.#lobby.name);
    // After the offer: nothing of it depends on what the person answers.
    if (!this.#local.track('camera') && !this.#local.track('microphone')) void this.#local.start();
  }

  /** What Join will ask for is known: the server can be ready for it. @param {Call} call */
  #prepare(call) {
    const { room, name } = this.#lobby;
    if (!room || !name) return call.prepare();
    call.prepare({ room, name, ...(this.#token && { token: this.#token }), ...(this.#role && { role: this.#role }) });
  }

  /** @param {string} name */
  #lobbyChanged(name) {
    this.#ringing.listen(name);
    this.#getReady();
  }

  #getReady() {
    if (this.#call?.state === 'idle') this.#prepare(this.#call);
  }

  /** Both sides are ready: the PeerConnection was prepared while it rang. @param {Ring} ring */
  async #enterRing(ring) {
    await this.#join(ring.room, this.#lobby.name, ring);
    if (this.#call?.state !== 'joined') return this.#ringing.hangUp();
    ring.on('state', (state) => {
      if (state === 'ended' && this.#call?.room === ring.room) this.#call.leave();
    });
  }

  /** @param {string} room @param {string} name @param {Ring | null} [ring] */
  async #join(room, name, ring = null) {
    const start_ms = performance.now();
    const call = this.#call;
    if (!call) return;
    this.#lobby.fail('');
    this.#lobby.busy(true);
    this.#local.use(call);
    try {
      const token = ring?.token ?? this.#token;
      await call.join({ room, name, start_ms, ...(token && { token }), ...(this.#role && { role: this.#role }) });
    } catch (error) {
      if (call.state === 'left') return; // Nobody waits any more, and the lobby is open again.
      this.#local.use(null);
      this.#lobby.busy(false);
      this.#lobby.waits(false);
      this.#lobby.fail(callWords(this.#surface.words, /** @type {CallError} */ (error)));
      return;
    }
    const second = this.#tabs.inCall;
    this.#tabs.enter();
    const title = ring ? ring.name : room;
    this.#openCall(title, second);
    this.emit('joined', { room, title, ring });
  }

  /** @param {string} room @param {boolean} second another tab of this browser is in a call */
  #openCall(room, second) {
    const { call: words } = this.#surface.words;
    this.#title = room;
    this.#wasRole = this.#call?.role ?? null;
    setText(this.#surface.find('call-room'), room);
    this.#surface.find('call-lock').hidden = !this.#call?.encrypted;
    notice(this.#surface.find('call-notice'), '');
    this.#lobby.show(false);
    this.#surface.find('call').hidden = false;
    this.#quality.use(this.#call);
    this.#people.use(this.#call);
    this.#setSpeaker(!second);
    if (second) this.#explainSpeaker(words.howl);
    this.#surface.find('call-title').focus();
    this.#render();
    this.#announce(words.joined(room, words.count(this.#call?.participants.length ?? 0)));
  }

  #stateChanged() {
    const call = this.#call;
    if (call?.state === 'left') return this.#ended(null);
    if (call?.state === 'waiting') this.#lobby.waits(true);
    const reconnecting = call?.state === 'reconnecting';
    clearTimeout(this.#explaining);
    const { call: words } = this.#surface.words;
    setText(this.#surface.find('call-state'), call?.state === 'waiting' ? words.waits : words.reconnecting);
    this.#surface.find('call-state').hidden = !reconnecting && call?.state !== 'waiting';
    if (!reconnecting) {
      this.#surface.find('call').classList.remove('reconnecting');
      notice(this.#surface.find('call-notice'), '', 'warning');
    } else {
      // Most losses are over before anybody has read about them.
      this.#explaining = setTimeout(() => {
        this.#surface.find('call').classList.toggle('reconnecting', !call.mediaAlive);
        notice(this.#surface.find('call-notice'), reconnectWords(this.#surface.words, call.reason, call.mediaAlive), 'warning');
      }, call.mediaAlive ? EXPLAIN_AFTER_MS : 0);
    }
    if (call?.state === 'joined' && this.#wasReconnecting) this.#announce(this.#surface.words.call.back);
    this.#wasReconnecting = reconnecting;
    this.#render();
  }

  /** The call is over. @param {CallError | null} reason null: we left */
  #ended(reason) {
    clearTimeout(this.#explaining);
    this.#surface.find('call-state').hidden = true;
    this.#wasReconnecting = false;
    this.#tabs.leave();
    this.#ringing.hangUp();
    this.#releaseScreen();
    this.#local.use(null);
    this.#quality.use(null);
    this.#people.use(null);
    this.#chat.use(null);
    this.#pointers.use(null);
    this.#stage.clear();
    this.#call = null;
    if (!this.#closed) this.#openLobby();
    this.#lobby.fail(reason ? callWords(this.#surface.words, reason) : '');
    this.emit('left', { reason });
  }

  /** Into a group, or out of it. */
  #moved() {
    const { call: words } = this.#surface.words;
    const group = this.#call?.group ?? null;
    this.#tell(group === null ? words.recalled : words.moved(group));
    this.#render();
  }

  /** @param {Role | null} role */
  #roleChanged(role) {
    if (this.#surface.find('call').hidden || role === this.#wasRole) return;
    this.#wasRole = role;
    if (role === null) return;
    this.#tell(this.#surface.words.call.yourRole(this.#surface.words.people.roles[role]));
  }

  /** Shown for a while. @param {string} said */
  #tell(said) {
    const bar = this.#surface.find('call-notice');
    notice(bar, said);
    this.#announce(said);
    setTimeout(() => bar.textContent === said && notice(bar, ''), TELL_FOR_MS);
  }

  // --- screen and speaker -------------------------------------------------------------------------------------------

  async #shareScreen() {
    const call = this.#call;
    if (!call) return;
    let screen;
    try {
      screen = await openScreen();
    } catch (error) {
      // Closing the browser's question is an answer, not a fault.
      if (error instanceof MediaProblem && error.reason !== 'refused') notice(this.#surface.find('call-notice'), this.#surface.words.call.noScreen(error.message), 'warning');
      return;
    }
    if (call !== this.#call) {
      screen.video.stop();
      screen.audio?.stop();
      return;
    }
    this.#screen = screen;
    screen.video.addEventListener('ended', () => this.#stopScreen()); // The browser's own "stop sharing".
    await call.publish('screen', screen.video, { active: true });
    if (screen.audio) await call.publish('screen_audio', screen.audio, { active: true });
    this.#render();
  }

  #stopScreen() {
    if (!this.#screen) return;
    this.#releaseScreen();
    void this.#call?.publish('screen', null, { active: false });
    void this.#call?.publish('screen_audio', null, { active: false });
    this.#render();
  }

  #releaseScreen() {
    this.#screen?.video.stop();
    this.#screen?.audio?.stop();
    this.#screen = null;
  }

  /** @param {boolean} on */
  #setSpeaker(on) {
    this.#speakerOn = on;
    this.#surface.find('speaker-notice').hidden = true;
    this.#stage.setSpeaker(on);
    setPressed(this.#surface.find('toggle-speaker'), 'speaker', on);
  }

  /** @param {string} why */
  #explainSpeaker(why) {
    setText(this.#surface.find('speaker-why'), why);
    this.#surface.find('speaker-notice').hidden = false;
  }

  #soundBlocked() {
    if (!this.#speakerOn) return;
    this.#setSpeaker(false);
    this.#explainSpeaker(this.#surface.words.call.blocked);
  }

  // --- rendering ----------------------------------------------------------------------------------------------------

  /** Once per turn, however much has changed. */
  #render() {
    if (this.#rendering) return;
    this.#rendering = true;
    queueMicrotask(() => {
      this.#rendering = false;
      const call = this.#call;
      if (!call || this.#surface.find('call').hidden) return;
      const { call: words, moderate } = this.#surface.words;
      setText(this.#surface.find('call-room'), call.group === null ? this.#title : `${this.#title} · ${call.group}`);
      setText(this.#surface.find('call-count'), call.self !== null ? words.count(call.participants.length) : '');
      setPressed(this.#surface.find('toggle-microphone'), 'microphone', this.#local.isOn('microphone'));
      setPressed(this.#surface.find('toggle-camera'), 'camera', this.#local.isOn('camera'));
      this.#surface.find('room-menu').hidden = !call.grants?.moderate;
      setText(this.#surface.find('lock-room'), call.setting.locked ? moderate.unlock : moderate.lock);
      setText(this.#surface.find('wait-room'), call.setting.waiting ? moderate.noWait : moderate.wait);
      this.#surface.find('spotlight-off').hidden = call.setting.spotlight === null;
      for (const source of /** @type {const} */ (['microphone', 'camera', 'screen'])) {
        const button = this.#surface.find(`toggle-${source}`, HTMLButtonElement);
        button.disabled = !(call.grants?.publish.includes(source) ?? true);
        button.title = button.disabled ? words.notAllowed : '';
      }
      this.#surface.find('toggle-screen').setAttribute('aria-pressed', String(this.#screen !== null));
      this.#stage.render(call, this.#local, this.#screen?.video ?? null, (participant) => this.#chat.handOf(participant));
    });
  }

  /** @param {string | null} name */
  #pinChanged(name) {
    const { call: words } = this.#surface.words;
    this.#announce(name === null ? words.unpinned : words.pinned(name));
    this.#render();
  }

  #hasRoomForOne() {
    return this.#surface.find('call').clientWidth < TWO_PANELS_PX;
  }

  /** Where there is no room for every button, some wait behind one. @param {boolean} open */
  #showMore(open) {
    this.#surface.find('more').classList.toggle('open', open);
    this.#surface.find('toggle-more').setAttribute('aria-expanded', String(open));
  }

  /** Said by screen readers. @param {string} words */
  #announce(words) {
    setText(this.#surface.find('announcer'), words);
  }
}
