/**
 * A call: one room, one identity, the tracks that are published, and everybody else.
 *
 *   new Call -> prepare() -> join() -> joined <-> reconnecting -> leave() or failed
 *
 * `prepare` opens the WebSocket and makes the offer ahead of the click, so that Join is one message.
 *
 * A lost WebSocket is replaced while everything else stays: sound and pictures go on as long as the media path lives, the
 * room keeps our place, and a path that is lost, too, is restarted with the same message. Only when the server does not know
 * us any more (it was restarted, or the room gave us up) the call clears what it knew and joins again.
 *
 *   WebSocket closed, or silent when asked --> reconnecting --Reach--> resume (+ ICE restart) --> joined
 *                                                                        `- refused --> join  --> joined
 */

import { Backoff } from './backoff.js';
import { CallError, isPassing } from './errors.js';
import { Emitter } from './events.js';
import { Link } from './link.js';
import { MessageLog } from './messages.js';
import { Peer, SENDERS } from './peer.js';
import { Reach } from './reach.js';
import { SLOT_STEP, SlotTable } from './slots.js';
import { StageClock } from './stages.js';
import { summarise } from './stats.js';
import { TileWatcher } from './tiles.js';
import { SlotView } from './view.js';

/** @import {CameraOptions} from './codecs.js' */
/** @import {CallStats} from './stats.js' */
/** @import {Action, Binding, Grants, Joined, ParticipantInfo, Quality, Resumed, ServerMessage, Share, Source, Stages, TrackInfo} from './wire.js' */

/** @typedef {'idle' | 'joining' | 'joined' | 'reconnecting' | 'left' | 'failed'} CallState */

/**
 * @typedef {object} CallEvents
 * @property {CallState} state
 * @property {ParticipantInfo} arrived    somebody came, or was there when we joined
 * @property {ParticipantInfo} departed
 * @property {void} participants          who is there, what they publish, or who speaks has changed
 * @property {SlotView} bound             a slot changed hands
 * @property {Stages} stages              how long connecting has taken so far
 * @property {LinkQuality} quality        what the link carries, and what is sent over it
 * @property {Grants} grants               what we may do has changed
 * @property {Source[]} stopped            a moderator has stopped what we publish; we may begin again
 * @property {{locked: boolean, spotlight: string | null}} room   how the room is set has changed
 * @property {boolean} reachable          whether the server answers (before the join, too)
 * @property {CallError} error            the call ended and will not come back by itself
 */

/** @typedef {{track: MediaStreamTrack | null, muted: boolean, active: boolean}} Published */

/**
 * @typedef {object} LinkQuality
 * @property {number | null} estimate_kbps   what the server believes the link to us carries; null: not known yet
 * @property {number} wanted_kbps            for everything that is shown, at its best
 * @property {{at_ms: number, participant: string | null, text: string}[]} decisions   newest last, of `performance.now()`
 */

/** The server ended the session and means it. @type {readonly string[]} */
const FINAL = ['removed', 'replaced'];

/** Decisions that are kept for people to read. */
const DECISIONS_KEPT = 50;

/** What a live connection takes to answer, when there is reason to doubt it: the media path is disturbed, or the network changed. */
const PROBE_WITHIN_MS = 2_500;
/** A media path that does not come back by itself in this time is restarted. */
const HEAL_WITHIN_MS = 1_000;
/** ... and one that a restart does not bring back is made anew. */
const RESTART_WITHIN_MS = 6_000;
/** How long `join` waits for a WebSocket that is not open yet. */
const REACH_WITHIN_MS = 5_000;
/** Later than this a first frame says when somebody else arrived, not how fast we connected. */
const MEASURE_FOR_MS = 10_000;
/** Often enough for the stages to be right to a few milliseconds where the browser tells no time itself. */
const MEASURE_EVERY_MS = 10;

/** @extends {Emitter<CallEvents>} */
export class Call extends Emitter {
  /** @type {CallState} */ #state = 'idle';
  #url;
  #pairs;
  #camera;
  #unlisten;
  /** @type {Link | null} */ #link = null;
  /** @type {Peer | null} */ #peer = null;
  /** @type {Promise<string> | null} The offer made ahead. */ #offer = null;
  #slots = new SlotTable();
  /** @type {SlotView[]} */ #views = [];
  /** @type {Map<Source, Published>} */
  #published = new Map(SENDERS.map(({ source }) => [source, { track: null, muted: false, active: !source.startsWith('screen') }]));
  /** @type {Map<string, ParticipantInfo>} In order of arrival. */ #participants = new Map();
  /** @type {string[]} */ #speakers = [];
  /** @type {string | null} */ #self = null;
  /** @type {LinkQuality} */ #quality = { estimate_kbps: null, wanted_kbps: 0, decisions: [] };
  /** What is said in the room. */ messages = new MessageLog();
  #tiles = new TileWatcher((slots) => {
    if (this.#state !== 'joined' || !this.#link) return false;
    this.#link.send({ type: 'prefer', slots });
    return true;
  });
  #room = '';
  #name = '';
  /** @type {CallError | null} Why the server ended the connection, if it said so. */ #reason = null;
  #backoff = new Backoff();
  /** @type {any} */ #retry = null;
  /** @type {Reach | null} While reconnecting. */ #reach = null;
  /** @type {string | null} What the server knows us by. */ #token = null;
  /** @type {string | undefined} What lets us in. */ #access = undefined;
  /** @type {Grants | null} */ #grants = null;
  /** @type {{locked: boolean, spotlight: string | null}} */ #setting = { locked: false, spotlight: null };
  /** @type {any} */ #healing = null;
  /** @type {Promise<unknown>} Offers never overlap. */ #negotiation = Promise.resolve();
  /** @type {Stages} */ #stages = {};
  /** @type {any} */ #measuring = null;
  /** @type {Map<string, any> | null} */ #report = null;

  /**
   * @param {{url: string, slots?: number, camera?: CameraOptions}} options `url` of the WebSocket; `slots` receive-only pairs to begin
   *   with; `camera` how it is sent
   */
  constructor({ url, slots = SLOT_STEP, camera = {} }) {
    super();
    this.#url = url;
    this.#pairs = slots;
    this.#camera = camera;
    // The network says that it is there, or another one than before; a phone wakes up.
    const doubt = () => this.#doubt();
    globalThis.addEventListener?.('online', doubt);
    /** @type {any} */ (globalThis.navigator)?.connection?.addEventListener?.('change', doubt);
    const shown = () => document.visibilityState === 'visible' && this.#doubt();
    globalThis.document?.addEventListener('visibilitychange', shown);
    this.#unlisten = () => {
      globalThis.removeEventListener?.('online', doubt);
      /** @type {any} */ (globalThis.navigator)?.connection?.removeEventListener?.('change', doubt);
      globalThis.document?.removeEventListener('visibilitychange', shown);
    };
  }

  get state() {
    return this.#state;
  }

  /** Sound and pictures go on, whatever the WebSocket does. */
  get mediaAlive() {
    return this.#peer?.isConnected ?? false;
  }

  /** Our own id in the room; null outside. */
  get self() {
    return this.#self;
  }

  get room() {
    return this.#room;
  }

  /** Why the call is reconnecting, where the server gave a reason before it closed. @returns {CallError | null} */
  get reason() {
    return this.#reason;
  }

  get name() {
    return this.#name;
  }

  /** How the room is set: whether it is locked, and whom everybody should look at. */
  get setting() {
    return this.#setting;
  }

  /** What we may do; null outside. @returns {Readonly<Grants> | null} */
  get grants() {
    return this.#grants;
  }

  /** Everybody else, in order of arrival. @returns {ParticipantInfo[]} */
  get participants() {
    return [...this.#participants.values()];
  }

  /** Who speaks, loudest first; may hold our own id. @returns {readonly string[]} */
  get speakers() {
    return this.#speakers;
  }

  /** Every slot that is on offer, used or not. @returns {readonly SlotView[]} */
  get views() {
    return this.#views;
  }

  /** @param {string} participant @param {Share} share @returns {SlotView | undefined} */
  view(participant, share) {
    return this.#views.find((view) => view.participant === participant && view.share === share);
  }

  /** @returns {Stages} */
  get stages() {
    return this.#stages;
  }

  /** @returns {Readonly<LinkQuality>} */
  get quality() {
    return this.#quality;
  }

  /** @param {Source} source @returns {Readonly<Published>} */
  published(source) {
    return /** @type {Published} */ (this.#published.get(source));
  }

  /** Opens the WebSocket and makes the offer, ahead of the click. Never throws: `join` tells what is wrong. */
  prepare() {
    if (this.#state !== 'idle') return;
    this.#openLink();
    this.#makePeer();
  }

  /**
   * @param {{room: string, name: string, token?: string, start_ms?: number}} options `token`: what lets us in; `start_ms`: when the click
   *   happened, on `performance.now()`
   * @returns {Promise<void>} @throws {CallError}
   */
  async join({ room, name, token, start_ms = performance.now() }) {
    if (this.#state !== 'idle') throw new CallError('wrong_state', 'This call has been joined already.');
    this.prepare();
    this.#room = room;
    this.#name = name;
    this.#access = token;
    this.#setState('joining');
    try {
      await this.#enter(start_ms);
    } catch (error) {
      // Not joined: back to where a second click can try again.
      if (this.state === 'joining') {
        this.#clear();
        this.#setState('idle');
        this.prepare();
      }
      throw asCallError(error);
    }
  }

  leave() {
    if (this.#state === 'left') return;
    this.#link?.send({ type: 'leave' });
    this.#end('left');
  }

  /**
   * What is sent as a source. A new track takes over without a new offer.
   * @param {Source} source @param {MediaStreamTrack | null} track
   * @param {{muted?: boolean, active?: boolean}} [change] told to everybody else
   */
  async publish(source, track, change = {}) {
    const published = this.published(source);
    // What we may not publish is not announced as if we did.
    if (change.active && this.#grants && !this.#grants.publish.includes(source)) change = { ...change, active: false };
    this.#published.set(source, { ...published, ...change, track });
    await this.#peer?.setTrack(source, track);
    if (change.muted !== undefined || change.active !== undefined) this.#announce(source);
  }

  /** @param {Source} source @param {boolean} muted nothing to hear or see, and everybody is told */
  setMuted(source, muted) {
    const published = /** @type {Published} */ (this.#published.get(source));
    published.muted = muted;
    if (published.track) published.track.enabled = !muted;
    this.#announce(source);
  }

  /**
   * Needs the grant `moderate`.
   * @param {Action} action @returns {Promise<void>} @throws {CallError} `not_allowed`, `unknown_participant`, `gone`
   */
  async moderate(action) {
    if (!this.#link || this.#state !== 'joined') throw new CallError('gone', 'There is no connection to the server at the moment.');
    await this.#link.request({ type: 'moderate', action });
  }

  /** Rates are since the last call of this. @returns {Promise<CallStats | null>} null outside a call */
  async stats() {
    const peer = this.#peer;
    if (!peer || this.#self === null) return null;
    const report = await peer.stats().catch(() => null); // Closed meanwhile.
    if (!report || peer !== this.#peer) return null;
    const stats = summarise(this.#report, report);
    this.#report = report;
    return stats;
  }

  // --- connecting ---------------------------------------------------------------------------------------------------

  #openLink() {
    if (this.#link && !this.#link.isClosed) return this.#link;
    const link = new Link(this.#url);
    this.#use(link);
    link.opened().then(() => {
      if (this.#state === 'idle') this.#backoff.reset();
      this.emit('reachable', true);
    }, () => {});
    return link;
  }

  /** @param {Link} link */
  #use(link) {
    this.#link = link;
    link.on('message', (message) => link === this.#link && this.#receive(message));
    link.on('closed', () => this.#linkClosed(link));
  }

  /** A new PeerConnection with everything that is published, and its offer. */
  #makePeer() {
    if (this.#peer) return this.#peer;
    const peer = new Peer(this.#pairs, this.#camera);
    this.#peer = peer;
    this.#offer = (async () => {
      for (const [source, { track }] of this.#published) if (track) await peer.setTrack(source, track);
      return peer.offer();
    })();
    this.#offer.catch(() => {}); // `join` hears of it.
    // Not on the join: a server that lets everybody in and then brings no media up would be joined without a pause.
    peer.on('dtls', () => {
      this.#backoff.reset();
      this.#reason = null;
    });
    peer.on('disturbed', () => {
      if (peer === this.#peer) this.#doubt();
    });
    return peer;
  }

  /**
   * Something is wrong, or may be: the WebSocket is asked for a sign of life, and a media path that does not come back by
   * itself is restarted over it.
   */
  #doubt() {
    if (this.#state === 'reconnecting') return this.#reach?.hurry();
    if (this.#state === 'idle' && this.#retry !== null) return this.#openLink();
    if (this.#state !== 'joined') return;
    void this.#link?.probe(PROBE_WITHIN_MS);
    this.#heal(HEAL_WITHIN_MS);
  }

  /** @param {number} after_ms @param {boolean} [restarted] an ICE restart was tried already */
  #heal(after_ms, restarted = false) {
    clearTimeout(this.#healing);
    const peer = this.#peer;
    this.#healing = setTimeout(() => {
      if (this.#state !== 'joined' || !peer || peer !== this.#peer || peer.isConnected) return;
      if (restarted) return this.#renew();
      this.#negotiate({ restart: true });
      this.#heal(RESTART_WITHIN_MS, true);
    }, after_ms);
  }

  /** A new PeerConnection in the running call, where the old one cannot be brought back. */
  #renew() {
    const [link, old] = [this.#link, this.#peer];
    if (!link || !old || this.#state !== 'joined') return;
    this.#negotiation = this.#negotiation.then(async () => {
      if (old !== this.#peer) return;
      const peer = this.#replacePeer();
      const offer = await this.#offer;
      this.#addSlots(peer);
      const answer = await link.request({ type: 'offer', offer: /** @type {string} */ (offer), ...this.#describe(peer) });
      old.close(); // Not before the server has let go of it: it would take this for hanging up.
      await peer.accept(answer.answer);
      this.#heal(RESTART_WITHIN_MS, true);
    }).catch(() => link.close('renegotiation failed'));
  }

  /** The next PeerConnection, with everything that is published; the old one is left open. */
  #replacePeer() {
    this.#peer = null;
    this.#report = null;
    this.#slots = new SlotTable();
    this.#views = [];
    this.#tiles.clear();
    const peer = /** @type {Peer} */ (this.#makePeer());
    this.emit('participants', undefined);
    return peer;
  }

  /** False: the server does not know us any more, and nothing of the session is left; the link can be used to join. @param {Link} link @param {string} token */
  async #resumeIfKnown(link, token) {
    try {
      await this.#resume(link, token);
      return true;
    } catch (error) {
      if (!(error instanceof CallError) || error.code !== 'resume_refused') throw error;
      this.#link = null;
      this.#clear();
      this.#link = link;
      return false;
    }
  }

  /** Takes our session over on a link that has just opened. @param {Link} link @param {string} token */
  async #resume(link, token) {
    const replaced = !this.#peer || this.#peer.isClosed;
    const peer = replaced ? this.#replacePeer() : /** @type {Peer} */ (this.#peer);
    const whole = !replaced && peer.isConnected && peer.isStable;
    let media;
    if (!whole) {
      const offer = replaced ? await this.#offer : await peer.offer({ restart: !peer.isConnected });
      this.#addSlots(peer);
      media = { offer: /** @type {string} */ (offer), ...this.#describe(peer) };
    }
    const resumed = await link.request({ type: 'resume', token, history: this.messages.from, ...(media && { media }) });
    this.#catchUp(resumed);
    this.#permit(resumed.grants);
    if (resumed.answer !== null) await peer.accept(resumed.answer);
    this.#backoff.reset();
    this.#reason = null;
    this.#setState('joined');
    this.messages.attach(link);
    this.#tiles.retell();
    for (const { source } of SENDERS) this.#announceIfChanged(source, peer);
    if (!resumed.media) return this.#renew();
    this.#heal(RESTART_WITHIN_MS, true);
    this.#grow(0);
  }

  /** What has changed while we were away. @param {Resumed} resumed */
  #catchUp(resumed) {
    const before = this.#participants;
    this.#participants = new Map(resumed.participants.map((participant) => [participant.id, participant]));
    for (const [id, participant] of before) {
      if (this.#participants.has(id)) continue;
      this.#slots.release(id);
      this.emit('departed', participant);
    }
    for (const [id, participant] of this.#participants) if (!before.has(id)) this.emit('arrived', participant);
    const key = (/** @type {{audio: string, video: string}} */ slot) => `${slot.audio}/${slot.video}`;
    const taken = new Set(resumed.bindings.map(({ slot }) => key(slot)));
    const free = this.#views.filter(({ slot }) => slot.participant !== null && !taken.has(key(slot.mids)));
    this.#bind([
      ...free.map(({ slot, share }) => ({ slot: slot.mids, participant: null, share })),
      ...resumed.bindings,
    ]);
    for (const view of this.#views) view.update();
    this.emit('participants', undefined);
  }

  /** One try to join. @param {number} start_ms */
  async #enter(start_ms) {
    const link = this.#openLink();
    this.#makePeer();
    const peer = /** @type {Peer} */ (this.#peer);
    const clock = this.#measure(peer, start_ms);
    const [offer] = await Promise.all([this.#offer, within(link.opened(), REACH_WITHIN_MS)]);
    this.#addSlots(peer);
    const joined = await link.request({
      type: 'join', room: this.#room, name: this.#name, offer: /** @type {string} */ (offer), ...this.#describe(peer),
      ...(this.#access !== undefined && { token: this.#access }), history: this.messages.from,
    });
    clock.reach('signaling', performance.now());
    // The bindings first: the page has its elements ready when the tracks begin.
    this.#begin(joined);
    await peer.accept(joined.answer);
    this.#setState('joined');
    this.messages.attach(link);
    this.#tiles.retell();
    for (const { source } of SENDERS) this.#announceIfChanged(source, peer);
    this.#grow(0);
  }

  /** @param {Joined} joined */
  #begin(joined) {
    this.#self = joined.participant;
    this.#token = joined.resume.token;
    this.#permit(joined.grants);
    for (const participant of joined.participants) {
      this.#participants.set(participant.id, participant);
      this.emit('arrived', participant);
    }
    this.emit('participants', undefined);
    this.#bind(joined.bindings);
  }

  /** @param {Link} link */
  #linkClosed(link) {
    if (link !== this.#link) return;
    // The server closes connections on which nobody joins; that it answers is known until the next one fails.
    if (!link.wasOpen || this.#state !== 'idle') this.emit('reachable', false);
    if (this.#state === 'joined' && this.#reason !== null && FINAL.includes(this.#reason.code)) {
      const reason = this.#reason;
      this.#end('failed');
      return this.emit('error', reason);
    }
    if (this.#state === 'joined') {
      clearTimeout(this.#healing);
      this.#negotiation = Promise.resolve();
      this.#setState('reconnecting');
    }
    if (this.#state === 'reconnecting') this.#comeBack();
    if (this.#state === 'idle' && this.#retry === null) {
      this.#retry = setTimeout(() => {
        this.#retry = null;
        if (this.#state === 'idle') this.#openLink();
      }, this.#backoff.next());
    }
  }

  #comeBack() {
    if (this.#reach) return;
    this.#link = null;
    this.#reach = new Reach(this.#url, this.#backoff, async (link) => {
      this.#reach = null;
      this.#use(link);
      this.emit('reachable', true);
      try {
        if (this.#token !== null && (await this.#resumeIfKnown(link, this.#token))) return;
        await this.#enter(performance.now());
      } catch (error) {
        if (this.#state !== 'reconnecting' && this.#state !== 'joined') return;
        // The link may live on: one that brought us back to nothing is not used again.
        link.close('could not come back');
        if (error instanceof CallError && error.code === 'gone') return this.#comeBackIfIdle();
        this.#clear();
        this.#setState('reconnecting');
        if (isPassing(error)) return this.#comeBackIfIdle();
        this.#end('failed');
        this.emit('error', asCallError(error));
      }
    });
  }

  /** Unless the closing of the link has started it already. */
  #comeBackIfIdle() {
    if (this.#state === 'reconnecting') this.#comeBack();
  }

  /** Nothing of the last connection is left; what is published stays ours. */
  #clear() {
    clearInterval(this.#measuring);
    clearTimeout(this.#healing);
    this.#reach?.stop();
    this.#reach = null;
    this.#token = null;
    const link = this.#link;
    this.#link = null;
    link?.close();
    this.#peer?.close();
    this.#peer = null;
    this.#offer = null;
    this.#report = null;
    this.#self = null;
    this.#grants = null;
    this.#setting = { locked: false, spotlight: null };
    this.#speakers = [];
    this.#participants.clear();
    this.#slots = new SlotTable();
    this.#views = [];
    this.#tiles.clear();
    this.#quality = { estimate_kbps: null, wanted_kbps: 0, decisions: [] };
    this.#negotiation = Promise.resolve();
    this.emit('participants', undefined);
  }

  /** @param {'left' | 'failed'} state */
  #end(state) {
    clearTimeout(this.#retry);
    this.#retry = null;
    this.#link?.finish();
    this.#clear();
    this.#tiles.close();
    this.messages.close();
    this.#unlisten();
    this.#setState(state);
  }

  /** @param {CallState} state */
  #setState(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.emit('state', state);
  }

  // --- what is published, and what is received ----------------------------------------------------------------------

  /** @param {Peer} peer after its offer */
  #describe(peer) {
    return {
      tracks: SENDERS.map(({ source }) => this.#track(source, peer)),
      slots: peer.pairs.map((pair) => peer.mids(pair)),
    };
  }

  /** @param {Source} source @param {Peer} peer @returns {TrackInfo} */
  #track(source, peer) {
    const { muted, active } = this.published(source);
    const kind = source === 'microphone' || source === 'screen_audio' ? 'audio' : 'video';
    const info = /** @type {TrackInfo} */ ({ mid: peer.mid(source), kind, source, muted, active });
    this.#announced.set(source, `${muted}/${active}`);
    return info;
  }

  /** @type {Map<Source, string>} What the server knows. */
  #announced = new Map();

  /** What we may not publish any more is off, here as there; it does not begin again by itself. @param {Grants} grants */
  #permit(grants) {
    this.#grants = grants;
    for (const { source } of SENDERS) {
      const published = /** @type {Published} */ (this.#published.get(source));
      if (!published.active || grants.publish.includes(source)) continue;
      published.active = false;
      this.#announced.set(source, `${published.muted}/false`);
    }
    this.emit('grants', grants);
    this.emit('participants', undefined);
  }

  /** @param {Source} source */
  #announce(source) {
    if (this.#peer && this.#state === 'joined') this.#link?.send({ type: 'track', track: this.#track(source, this.#peer) });
    this.emit('participants', undefined);
  }

  /** What changed while the join was under way. @param {Source} source @param {Peer} peer */
  #announceIfChanged(source, peer) {
    const { muted, active } = this.published(source);
    if (peer === this.#peer && this.#announced.get(source) !== `${muted}/${active}`) this.#announce(source);
  }

  /** The pairs that an offer has just given their m-lines. @param {Peer} peer */
  #addSlots(peer) {
    for (const pair of peer.pairs.slice(this.#views.length)) {
      const view = new SlotView(this.#slots.add(peer.mids(pair)), pair);
      view.on('attached', (element) => this.#tiles.watch(view, element));
      this.#views.push(view);
    }
  }

  /** @param {Binding[]} bindings */
  #bind(bindings) {
    // Leavers before newcomers, so that nobody is on two slots in between.
    for (const binding of [...bindings].sort((a, b) => Number(a.participant !== null) - Number(b.participant !== null))) {
      const slot = this.#slots.bind(binding);
      const view = this.#views.find((one) => one.slot === slot);
      if (!view) continue;
      view.update();
      this.emit('bound', view);
    }
    this.#grow(0);
  }

  /** @param {number} wanted pairs, as the server asks for them; 0: as many as keep a spare */
  #grow(wanted) {
    if (this.#state === 'joined' && this.#slots.target(wanted) > this.#views.length) this.#negotiate({ wanted });
  }

  /** A new offer in the running call. @param {{restart?: boolean, wanted?: number}} what */
  #negotiate({ restart = false, wanted = 0 }) {
    const peer = this.#peer;
    const link = this.#link;
    if (!peer || !link) return;
    this.#negotiation = this.#negotiation.then(async () => {
      const more = this.#slots.target(wanted) - this.#views.length;
      if (peer !== this.#peer || (!restart && more <= 0)) return;
      peer.addPairs(Math.max(0, more));
      const offer = await peer.offer({ restart });
      this.#addSlots(peer);
      const answer = await link.request({ type: 'offer', offer, ...this.#describe(peer) });
      await peer.accept(answer.answer);
      this.#pairs = peer.pairs.length; // A rejoin offers as many at once.
    }).catch((error) => {
      // Half a renegotiation cannot be continued: start over with a new connection.
      console.warn('The call could not be renegotiated:', error);
      if (peer === this.#peer) link.close('renegotiation failed');
    });
  }

  /** @param {ServerMessage} message that is no answer */
  #receive(message) {
    switch (message.type) {
      case 'participant_joined':
        this.#participants.set(message.participant.id, message.participant);
        this.emit('arrived', message.participant);
        return this.emit('participants', undefined);
      case 'participant_left': {
        const participant = this.#participants.get(message.participant);
        this.#participants.delete(message.participant);
        this.#slots.release(message.participant);
        for (const view of this.#views) view.update();
        if (participant) this.emit('departed', participant);
        return this.emit('participants', undefined);
      }
      case 'track_changed': {
        const participant = this.#participants.get(message.participant);
        if (!participant) return;
        participant.tracks = [...participant.tracks.filter((track) => track.mid !== message.track.mid), message.track];
        return this.emit('participants', undefined);
      }
      case 'stopped':
        for (const source of message.sources) {
          const published = /** @type {Published} */ (this.#published.get(source));
          published.active = false;
          this.#announced.set(source, `${published.muted}/false`);
        }
        this.emit('stopped', message.sources);
        return this.emit('participants', undefined);
      case 'room_changed':
        this.#setting = { locked: message.locked, spotlight: message.spotlight };
        this.emit('room', this.#setting);
        return this.emit('participants', undefined);
      case 'permissions':
        return this.#permit(message.grants);
      case 'messages':
        return this.messages.receive(message);
      case 'state':
        return this.messages.emit('state', message);
      case 'presence': {
        const participant = this.#participants.get(message.participant);
        if (!participant) return;
        participant.connected = message.connected;
        return this.emit('participants', undefined);
      }
      case 'bindings':
        return this.#bind(message.bindings);
      case 'first_frame': {
        const slot = this.#slots.firstFrame(message.mid, message.participant, message.rtp_timestamp);
        return this.#views.find((view) => view.slot === slot)?.update();
      }
      case 'need_slots':
        return this.#grow(message.wanted);
      case 'speakers':
        this.#speakers = message.participants;
        return this.emit('participants', undefined);
      case 'layers':
        return this.#peer?.setActive(message.mid, message.active);
      case 'quality':
        return this.#hearQuality(message);
      case 'error':
        // After an error that ends the session the server closes the connection.
        this.#reason = new CallError(message.code, message.message);
        return console.warn(`The server says: ${message.message} (${message.code})`);
    }
  }

  /** @param {Quality} message */
  #hearQuality({ estimate_kbps, wanted_kbps, slots, decisions }) {
    const of = (/** @type {string} */ mid) => this.#views.find(({ slot }) => slot.mids.video === mid || slot.mids.audio === mid);
    for (const view of this.#views) view.quality = slots.find(({ mid }) => mid === view.slot.mids.video) ?? null;
    const at_ms = performance.now();
    const news = decisions.map(({ mid, text }) => ({ at_ms, participant: of(mid)?.participant ?? null, text }));
    const kept = [...this.#quality.decisions, ...news].slice(-DECISIONS_KEPT);
    this.#quality = { estimate_kbps, wanted_kbps, decisions: kept };
    this.emit('quality', this.#quality);
  }

  // --- the connect stages -------------------------------------------------------------------------------------------

  /** @param {Peer} peer @param {number} start_ms */
  #measure(peer, start_ms) {
    const clock = new StageClock(start_ms);
    const reach = (/** @type {Parameters<StageClock['reach']>} */ ...[stage, at_ms]) => {
      if (peer !== this.#peer || !clock.reach(stage, at_ms)) return;
      this.#stages = clock.stages();
      this.emit('stages', this.#stages);
    };
    peer.on('ice', (at_ms) => reach('ice', at_ms));
    peer.on('dtls', (at_ms) => reach('dtls', at_ms));
    peer.on('packet', (at_ms) => reach('first_packet', at_ms));
    clearInterval(this.#measuring);
    this.#stages = {};
    const measuring = setInterval(() => {
      for (const view of this.#views) {
        const [audio, frame] = [view.delivered_ms('audio'), view.delivered_ms('video')];
        if (audio !== null) reach('first_audio', audio);
        if (frame !== null) reach('first_frame', frame);
      }
      if (!clock.complete && performance.now() - start_ms < MEASURE_FOR_MS) return;
      clearInterval(measuring);
      if (peer === this.#peer) this.#link?.send({ type: 'stages', stages: clock.stages() });
    }, MEASURE_EVERY_MS);
    this.#measuring = measuring;
    return {
      /** @param {Parameters<StageClock['reach']>[0]} stage @param {number} at_ms */
      reach: (stage, at_ms) => reach(stage, at_ms),
    };
  }
}

/** @template T @param {Promise<T>} promise @param {number} ms @returns {Promise<T>} */
function within(promise, ms) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new CallError('unreachable', 'The server does not answer.')), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** @param {unknown} error */
function asCallError(error) {
  if (error instanceof CallError) return error;
  return new CallError('broken', error instanceof Error ? error.message : String(error));
}
