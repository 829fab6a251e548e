/** The demo page: the lobby, the call, and what leads from one to the other. */

import { CallError, MediaProblem, openScreen } from '../sdk/index.js';
import { Chat } from './chat.js';
import { byId, notice, setPressed, setText } from './dom.js';
import { LocalMedia } from './local.js';
import { Lobby } from './lobby.js';
import { Quality } from './quality.js';
import { Ringing } from './ring.js';
import { Stage } from './stage.js';
import { OtherTabs } from './tabs.js';
import { callWords, countWords, reconnectWords } from './words.js';

/** @import {Call, Phone, Ring} from '../sdk/index.js' */

/** What lets us in, where the application has put it into the address. */
const TOKEN = new URLSearchParams(location.search).get('token');

/** The pill says at once that something is wrong; what and why comes when it lasts. */
const EXPLAIN_AFTER_MS = 2_000;

/** @param {{createCall: () => Call, createPhone?: (identity: string, name: string) => Phone | null}} options where calls come from */
export function start({ createCall, createPhone = () => null }) {
  const page = new Page(createCall, createPhone);
  page.openLobby();
}

class Page {
  #createCall;
  #ringing;
  /** @type {Call | null} */ #call = null;
  #local = new LocalMedia();
  #lobby;
  #stage = new Stage(() => this.#soundBlocked(), (pinned) => this.#pinChanged(pinned));
  #quality = new Quality();
  #chat = new Chat(() => this.#render());
  #tabs = new OtherTabs();
  #speakerOn = true;
  /** @type {{video: MediaStreamTrack, audio: MediaStreamTrack | null} | null} */ #screen = null;
  #rendering = false;
  /** @type {any} */ #explaining = null;
  #wasReconnecting = false;

  /** @param {() => Call} createCall @param {(identity: string, name: string) => Phone | null} createPhone */
  constructor(createCall, createPhone) {
    this.#ringing = new Ringing(createPhone, (ring) => this.#enterRing(ring));
    this.#createCall = createCall;
    this.#lobby = new Lobby(this.#local, (room, name) => this.#join(room, name), (name) => this.#ringing.listen(name));
    this.#local.on('changed', () => this.#render());
    byId('toggle-microphone').addEventListener('click', () => this.#local.set('microphone', !this.#local.isOn('microphone')));
    byId('toggle-camera').addEventListener('click', () => this.#local.set('camera', !this.#local.isOn('camera')));
    byId('toggle-screen').addEventListener('click', () => (this.#screen ? this.#stopScreen() : this.#shareScreen()));
    byId('toggle-speaker').addEventListener('click', () => this.#setSpeaker(!this.#speakerOn));
    byId('speaker-on').addEventListener('click', () => this.#setSpeaker(true));
    byId('leave').addEventListener('click', () => this.#call?.leave());
    const act = (/** @type {string} */ id, /** @type {(call: Call) => import('../sdk/wire.js').Action} */ action) => {
      byId(id).addEventListener('click', () => {
        byId('room-menu').removeAttribute('open');
        if (this.#call) this.#call.moderate(action(this.#call)).catch(() => {});
      });
    };
    act('mute-all', () => ({ do: 'stop', sources: ['microphone'] }));
    act('lock-room', (call) => ({ do: 'lock', locked: !call.setting.locked }));
    act('spotlight-off', () => ({ do: 'spotlight', participant: null }));
    byId('toggle-screen').hidden = !this.#lobby.environment.screen;
    addEventListener('pagehide', () => this.#call?.leave());
    // A page that comes back from the browser's memory has lost its call.
    addEventListener('pageshow', (event) => event.persisted && location.reload());
  }

  /** A call is made ready as soon as the lobby is open, so that Join is one message. */
  openLobby() {
    document.title = 'Sampan';
    byId('call').hidden = true;
    this.#lobby.busy(false);
    this.#lobby.show(true);
    if (!this.#lobby.environment.webrtc) return; // The lobby has said so.
    const call = this.#createCall();
    this.#call = call;
    const mine = (/** @type {() => void} */ run) => () => call === this.#call && run();
    this.#chat.use(call);
    call.on('reachable', (reachable) => call === this.#call && this.#lobby.reachable(reachable));
    call.on('participants', mine(() => this.#render()));
    call.on('stopped', (sources) => {
      if (call !== this.#call) return;
      for (const device of /** @type {const} */ (['camera', 'microphone'])) {
        if (sources.includes(device)) void this.#local.set(device, false);
      }
      if (sources.includes('screen')) this.#stopScreen();
      const what = sources.includes('microphone') ? 'Your microphone was muted' : 'Your picture was stopped';
      this.#announce(`${what} by whoever leads the call. You may switch it on again.`);
      notice(byId('call-notice'), `${what} by whoever leads the call. You may switch it on again.`);
      this.#render();
    });
    call.on('grants', (grants) => {
      if (call !== this.#call) return;
      for (const device of /** @type {const} */ (['camera', 'microphone'])) {
        if (!grants.publish.includes(device)) void this.#local.set(device, false);
      }
      if (!grants.publish.includes('screen')) this.#stopScreen();
      this.#render();
    });
    call.on('quality', mine(() => this.#render()));
    call.on('bound', (view) => {
      view.on('shown', mine(() => this.#render()));
      this.#render();
    });
    call.on('arrived', (participant) => {
      if (call.state === 'joined') this.#announce(`${participant.name} joined`);
    });
    call.on('departed', (participant) => this.#announce(`${participant.name} left`));
    call.on('state', mine(() => this.#stateChanged()));
    call.on('error', (error) => call === this.#call && this.#ended(callWords(error)));
    call.prepare();
    this.#ringing.listen(this.#lobby.name);
    // After the offer: nothing of it depends on what the person answers.
    if (!this.#local.track('camera') && !this.#local.track('microphone')) void this.#local.start();
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
      const token = ring?.token ?? TOKEN;
      await call.join({ room, name, start_ms, ...(token && { token }) });
    } catch (error) {
      this.#local.use(null);
      this.#lobby.busy(false);
      this.#lobby.fail(callWords(/** @type {CallError} */ (error)));
      return;
    }
    if (!ring) {
      const address = new URL(location.href);
      address.searchParams.set('room', room);
      history.replaceState(null, '', address);
    }
    const second = this.#tabs.inCall;
    this.#tabs.enter();
    this.#openCall(ring ? ring.name : room, second);
  }

  /** @param {string} room @param {boolean} second another tab of this browser is in a call */
  #openCall(room, second) {
    document.title = `${room} · Sampan`;
    setText(byId('call-room'), room);
    this.#lobby.show(false);
    byId('call').hidden = false;
    this.#quality.use(this.#call);
    this.#setSpeaker(!second);
    if (second) this.#explainSpeaker('The speaker of this tab is off: another tab of this browser is in a call, and the two would howl.');
    byId('call-title').focus();
    this.#render();
    this.#announce(`You joined ${room}. ${countWords(this.#call?.participants.length ?? 0)}.`);
  }

  #stateChanged() {
    const call = this.#call;
    if (call?.state === 'left') return this.#ended('');
    const reconnecting = call?.state === 'reconnecting';
    clearTimeout(this.#explaining);
    byId('call-state').hidden = !reconnecting;
    if (!reconnecting) {
      byId('call').classList.remove('reconnecting');
      notice(byId('call-notice'), '', 'warning');
    } else {
      // Most losses are over before anybody has read about them.
      this.#explaining = setTimeout(() => {
        byId('call').classList.toggle('reconnecting', !call.mediaAlive);
        notice(byId('call-notice'), reconnectWords(call.reason, call.mediaAlive), 'warning');
      }, call.mediaAlive ? EXPLAIN_AFTER_MS : 0);
    }
    if (call?.state === 'joined' && this.#wasReconnecting) this.#announce('You are in the call again');
    this.#wasReconnecting = reconnecting;
    this.#render();
  }

  /** The call is over. @param {string} why empty: we left */
  #ended(why) {
    clearTimeout(this.#explaining);
    byId('call-state').hidden = true;
    this.#wasReconnecting = false;
    this.#tabs.leave();
    this.#ringing.hangUp();
    this.#releaseScreen();
    this.#local.use(null);
    this.#quality.use(null);
    this.#chat.use(null);
    this.#stage.clear();
    this.#call = null;
    this.openLobby();
    this.#lobby.fail(why);
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
      if (error instanceof MediaProblem && error.reason !== 'refused') notice(byId('call-notice'), `The screen cannot be shared: ${error.message}`, 'warning');
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
    byId('speaker-notice').hidden = true;
    this.#stage.setSpeaker(on);
    setPressed(byId('toggle-speaker'), 'speaker', on);
  }

  /** @param {string} why */
  #explainSpeaker(why) {
    setText(byId('speaker-why'), why);
    byId('speaker-notice').hidden = false;
  }

  #soundBlocked() {
    if (!this.#speakerOn) return;
    this.#setSpeaker(false);
    this.#explainSpeaker('The browser holds the sound back until you ask for it.');
  }

  // --- rendering ----------------------------------------------------------------------------------------------------

  /** Once per turn, however much has changed. */
  #render() {
    if (this.#rendering) return;
    this.#rendering = true;
    queueMicrotask(() => {
      this.#rendering = false;
      const call = this.#call;
      if (!call || byId('call').hidden) return;
      setText(byId('call-count'), call.self !== null ? countWords(call.participants.length) : '');
      setPressed(byId('toggle-microphone'), 'microphone', this.#local.isOn('microphone'));
      setPressed(byId('toggle-camera'), 'camera', this.#local.isOn('camera'));
      byId('room-menu').hidden = !call.grants?.moderate;
      setText(byId('lock-room'), call.setting.locked ? 'Open the room' : 'Lock the room');
      byId('spotlight-off').hidden = call.setting.spotlight === null;
      for (const source of /** @type {const} */ (['microphone', 'camera', 'screen'])) {
        const button = byId(`toggle-${source}`, HTMLButtonElement);
        button.disabled = !(call.grants?.publish.includes(source) ?? true);
        button.title = button.disabled ? 'Not allowed in this call' : '';
      }
      byId('toggle-screen').setAttribute('aria-pressed', String(this.#screen !== null));
      this.#stage.render(call, this.#local, this.#screen?.video ?? null, (participant) => this.#chat.handOf(participant));
    });
  }

  /** @param {string | null} name */
  #pinChanged(name) {
    this.#announce(name === null ? 'Nobody is pinned' : `${name} is pinned`);
    this.#render();
  }

  /** Said by screen readers. @param {string} words */
  #announce(words) {
    setText(byId('announcer'), words);
  }
}
