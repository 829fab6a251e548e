/**
 * One PeerConnection to the server. The client is the only offerer, and it offers ahead of need:
 *
 *   m-lines:  microphone  camera (l, m, h)  screen  screen_audio | audio+video  audio+video  audio+video ...
 *             ---------------- send only ----------------------- | ------ receive-only pairs: slots ------
 *
 * A track that starts or stops is `replaceTrack`, and who is in a slot is a message: neither needs a new offer.
 */

import { cameraEncodings, preferredCodecs, screenEncodings, sealable, sizesUpTo, withAudioRepair } from './codecs.js';
import { Emitter } from './events.js';
import { shortened } from './offer.js';

/** @import {CameraOptions} from './codecs.js' */
/** @import {Channels} from './data.js' */
/** @import {Encryption} from './encryption/index.js' */
/** @import {EncodingActive, Kind, SlotPair, Source} from './wire.js' */

/** @type {readonly {source: Source, kind: Kind}[]} In the order of their m-lines. */
export const SENDERS = [
  { source: 'microphone', kind: 'audio' },
  { source: 'camera', kind: 'video' },
  { source: 'screen', kind: 'video' },
  { source: 'screen_audio', kind: 'audio' },
];

/** @typedef {{audio: RTCRtpTransceiver, video: RTCRtpTransceiver}} Pair */

/**
 * @typedef {object} PeerEvents
 * @property {number} ice          when ICE connected, in ms of `performance.now()`
 * @property {number} dtls         when the DTLS handshake was done
 * @property {number} packet       when the first RTP packet of some slot arrived
 * @property {void} disturbed      nothing comes over the path at the moment; it may be lost
 */

/** @extends {Emitter<PeerEvents>} */
export class Peer extends Emitter {
  /** @type {RTCPeerConnection} */ #connection;
  /** @type {Map<Source, RTCRtpTransceiver>} */ #senders = new Map();
  /** @type {Pair[]} */ #pairs = [];
  /** @type {Promise<unknown>} Of senders' parameters. */ #changes = Promise.resolve();
  /** @type {Channels | null} */ #data = null;
  #dataOffered = false;
  /** Sizes inside the camera's one stream are left out. */
  #leavesOut = false;

  /** @type {CameraOptions} */ #camera;
  #encryption;

  /** @param {number} pairs receive-only pairs to begin with @param {CameraOptions} [camera] @param {Encryption | null} [encryption] null: none */
  constructor(pairs, camera = {}, encryption = null) {
    super();
    this.#camera = encryption ? sealable(camera) : camera;
    this.#encryption = encryption;
    this.#connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' });
    this.#connection.oniceconnectionstatechange = () => {
      if (this.isReached) this.emit('ice', performance.now());
    };
    this.#connection.onconnectionstatechange = () => {
      const state = this.#connection.connectionState;
      if (state === 'connected') this.emit('dtls', performance.now());
      if (state === 'failed' || state === 'disconnected') this.emit('disturbed', undefined);
    };
    for (const { source, kind } of SENDERS) {
      const transceiver = source === 'camera' ? this.#addCamera()
        : this.#connection.addTransceiver(kind, { direction: 'sendonly', ...(source === 'screen' && { sendEncodings: screenEncodings() }) });
      this.#prefer(transceiver, kind, 'send', source === 'camera' ? this.#camera : {});
      encryption?.seal(transceiver.sender);
      this.#senders.set(source, transceiver);
    }
    this.addPairs(pairs);
  }

  /** With layers inside its streams, where the browser knows how. */
  #addCamera() {
    const { codec } = this.#camera;
    const add = (/** @type {boolean} */ layered) => this.#connection.addTransceiver('video', { direction: 'sendonly', sendEncodings: cameraEncodings(codec, layered) });
    try {
      return add(true);
    } catch {
      return add(false);
    }
  }

  /** @param {number} count more receive-only pairs, from the next offer on */
  addPairs(count) {
    for (let i = 0; i < count; i++) {
      const audio = this.#connection.addTransceiver('audio', { direction: 'recvonly' });
      const video = this.#connection.addTransceiver('video', { direction: 'recvonly' });
      this.#prefer(audio, 'audio', 'receive');
      this.#prefer(video, 'video', 'receive');
      for (const { receiver } of [audio, video]) {
        this.#encryption?.open(receiver);
        receiver.track.addEventListener('unmute', () => this.emit('packet', performance.now()), { once: true });
      }
      this.#pairs.push({ audio, video });
    }
  }

  /**
   * The two data channels, from the next offer on. Both ends know them by their numbers, so nothing is opened in band.
   * @returns {Channels}
   */
  openData() {
    const open = (/** @type {string} */ label, /** @type {RTCDataChannelInit} */ init) => {
      const channel = this.#connection.createDataChannel(label, { negotiated: true, ...init });
      channel.binaryType = 'arraybuffer';
      return channel;
    };
    this.#data ??= { reliable: open('reliable', { id: 0 }), lossy: open('lossy', { id: 1, ordered: false, maxRetransmits: 0 }) };
    return this.#data;
  }

  /** There is something that no offer has told yet. */
  get hasUntold() {
    return this.#data !== null && !this.#dataOffered;
  }

  get isConnected() {
    return this.#connection.connectionState === 'connected';
  }

  get isFailed() {
    return this.#connection.connectionState === 'failed';
  }

  /** The other end answers checks. */
  get isReached() {
    return ['connected', 'completed'].includes(this.#connection.iceConnectionState);
  }

  get isAnswered() {
    return this.#connection.remoteDescription !== null;
  }

  get isClosed() {
    return this.#connection.connectionState === 'closed';
  }

  /** No offer of ours waits for its answer. */
  get isStable() {
    return this.#connection.signalingState === 'stable';
  }

  get pairs() {
    return this.#pairs;
  }

  /** In the order of their m-lines. @returns {Source[]} */
  get sources() {
    return [...this.#senders.keys()];
  }

  /** @param {Pair} pair @returns {SlotPair} only after an offer */
  mids(pair) {
    return { audio: String(pair.audio.mid), video: String(pair.video.mid) };
  }

  /** @param {Source} source @returns {string} only after an offer */
  mid(source) {
    return String(this.#senders.get(source)?.mid);
  }

  /**
   * Without candidates: the server is ICE-lite and learns our address from the first check, so nobody waits for gathering.
   * @param {{restart?: boolean}} [options] `restart`: new ICE credentials, after the path was lost
   * @returns {Promise<string>} SDP
   */
  async offer({ restart = false } = {}) {
    const withData = this.#data !== null;
    const offer = await this.#connection.createOffer({ iceRestart: restart });
    this.#encryption?.learn(offer.sdp ?? '');
    await this.#connection.setLocalDescription(offer);
    this.#dataOffered = withData;
    return shortened(withAudioRepair(offer.sdp ?? '', [...this.#senders.values()].map(({ mid }) => mid)));
  }

  /** @param {string} answer SDP */
  async accept(answer) {
    await this.#connection.setRemoteDescription({ type: 'answer', sdp: answer });
  }

  /** @param {Source} source @param {MediaStreamTrack | null} track null: nothing is sent */
  async setTrack(source, track) {
    await this.#senders.get(source)?.sender.replaceTrack(track);
  }

  /**
   * Sends those encodings of a track alone that somebody watches, and of sizes inside one those up to the largest. One change after the
   * other: each has to be made to what the last one left.
   * @param {string} mid @param {EncodingActive[]} active
   */
  setActive(mid, active) {
    const sender = [...this.#senders.values()].find((transceiver) => transceiver.mid === mid)?.sender;
    if (!sender) return;
    this.#changes = this.#changes.then(async () => {
      const parameters = sender.getParameters();
      let changed = false;
      for (const [index, encoding] of (parameters.encodings ?? []).entries()) {
        const wanted = active.find(({ rid }, at) => (rid === undefined ? at === index : rid === encoding.rid));
        if (!wanted) continue;
        // Nobody says so of a camera that holds no sizes.
        const sizes = this.#leavesOut || wanted.spatial !== undefined ? sizesUpTo(wanted.spatial) : null;
        const others = sizes !== null && sizes.scalabilityMode !== /** @type {{scalabilityMode?: string}} */ (encoding).scalabilityMode;
        if ((encoding.active ?? true) === wanted.active && !others) continue;
        encoding.active = wanted.active;
        if (others) Object.assign(encoding, sizes);
        this.#leavesOut ||= others;
        changed = true;
      }
      if (changed) await sender.setParameters(parameters);
    }).catch((error) => {
      // Closed meanwhile, or a browser that cannot: everything is sent, as before.
      if (this.#connection.connectionState !== 'closed') console.warn('Encodings cannot be switched:', error);
    });
  }

  /** @returns {Promise<Map<string, any>>} */
  async stats() {
    /** @type {Map<string, any>} */
    const report = new Map();
    (await this.#connection.getStats()).forEach((entry, id) => report.set(id, entry));
    return report;
  }

  close() {
    this.#connection.oniceconnectionstatechange = null;
    this.#connection.onconnectionstatechange = null;
    this.#connection.close();
    for (const { audio, video } of this.#pairs) for (const { receiver } of [audio, video]) this.#encryption?.release(receiver);
  }

  /** @param {RTCRtpTransceiver} transceiver @param {Kind} kind @param {'send' | 'receive'} direction @param {CameraOptions} [camera] */
  #prefer(transceiver, kind, direction, camera = {}) {
    const side = direction === 'send' ? RTCRtpSender : RTCRtpReceiver;
    const capabilities = side.getCapabilities?.(kind)?.codecs;
    if (capabilities && 'setCodecPreferences' in transceiver) {
      transceiver.setCodecPreferences(preferredCodecs(capabilities, kind, direction, camera, this.#encryption !== null));
    }
  }
}
