/**
 * What happened when a picture froze: every page is asked every other second what it gets and sends, and each change that may
 * explain a freeze (a layer switched, encoders set anew, a keyframe, a lack of CPU) is kept with its time.
 */

import { cpus } from 'node:os';

/** Often enough to tell what came together, seldom enough not to disturb pages that encode. */
const EVERY_MS = 2000;
/** A change of layers or encoders shows in pictures no later. */
const BEFORE_MS = 4500;
/** Share of the CPU above which threads wait for each other. */
const MACHINE_FULL = 0.92;
/** Of two seconds at 15 a second: fewer is a stall somewhere before the encoder. */
const CAPTURED_MIN = 26;

/** In the page: by whose tile, and by encoding. */
async function observe() {
  const peer = window.testPeers.filter((one) => one.connectionState === 'connected').at(-1);
  const seen = { received: {}, sent: {}, captured: 0 };
  if (!peer) return seen;
  const names = new Map();
  for (const tile of document.querySelectorAll('.tile')) {
    const track = tile.querySelector('video')?.srcObject?.getVideoTracks?.()[0];
    if (track) names.set(track.id, tile.querySelector('.tile-name').textContent);
  }
  (await peer.getStats()).forEach((entry) => {
    if (entry.type === 'inbound-rtp' && entry.kind === 'video' && entry.framesDecoded > 0) {
      const name = names.get(entry.trackIdentifier) ?? entry.mid ?? entry.trackIdentifier;
      seen.received[name] = {
        freezes: entry.freezeCount ?? 0, frozen_s: entry.totalFreezesDuration ?? 0, frames: entry.framesDecoded, dropped: entry.framesDropped ?? 0,
        width: entry.frameWidth ?? 0, plis: entry.pliCount ?? 0, nacks: entry.nackCount ?? 0, lost: entry.packetsLost,
        decode_ms: (entry.totalDecodeTime ?? 0) * 1000, buffer_ms: (entry.jitterBufferDelay ?? 0) * 1000, emitted: entry.jitterBufferEmittedCount ?? 0,
      };
    }
    if (entry.type === 'media-source' && entry.kind === 'video') seen.captured = Math.max(seen.captured, entry.frames ?? 0);
    if (entry.type === 'outbound-rtp' && entry.kind === 'video') {
      seen.sent[entry.rid ?? entry.mid] = {
        active: entry.active ?? true, frames: entry.framesEncoded ?? 0, keyframes: entry.keyFramesEncoded ?? 0, width: entry.frameWidth ?? 0,
        limited: entry.qualityLimitationReason ?? 'none', encode_ms: (entry.totalEncodeTime ?? 0) * 1000, encoder: entry.encoderImplementation,
        plis: entry.pliCount ?? 0, changes: entry.qualityLimitationResolutionChanges ?? 0,
      };
    }
  });
  return seen;
}

/** CPU time of the whole machine so far, in ms. */
function machine() {
  const sum = { busy: 0, all: 0 };
  for (const { times } of cpus()) {
    const all = Object.values(times).reduce((total, one) => total + one, 0);
    sum.all += all;
    sum.busy += all - times.idle;
  }
  return sum;
}

export class Timeline {
  /** @type {{at_ms: number, who: string, what: string}[]} */ events = [];
  #people;
  #before = new Map();
  #machine = machine();
  #began = performance.now();
  /** @type {any} */ #timer = null;
  #running = Promise.resolve();

  /** @param {import('./person.js').Person[]} people */
  constructor(people) {
    this.#people = people;
  }

  start() {
    this.#began = performance.now();
    this.#timer = setInterval(() => { this.#running = this.#look(); }, EVERY_MS);
    return this;
  }

  async stop() {
    clearInterval(this.#timer);
    await this.#running;
  }

  /** Every look at which somebody's picture had frozen, with what came shortly before it, for people to read. */
  *report() {
    let told = -1;
    for (const [n, { at_ms, what }] of this.events.entries()) {
      if (n <= told || !what.startsWith('froze')) continue;
      const since = this.events.findIndex((event, at) => at > told && event.at_ms > at_ms - BEFORE_MS);
      told = this.events.findLastIndex((event) => event.at_ms === at_ms);
      yield `${(at_ms / 1000).toFixed(0)} s`;
      for (const { who, what } of this.events.slice(since, told + 1)) yield `    ${who}: ${what}`;
    }
  }

  async #look() {
    const seen = await Promise.all(this.#people.map((person) => person.page.evaluate(observe).catch(() => null)));
    const at_ms = performance.now() - this.#began;
    const note = (/** @type {string} */ who, /** @type {string} */ what) => this.events.push({ at_ms, who, what });
    const used = machine();
    const busy = (used.busy - this.#machine.busy) / (used.all - this.#machine.all);
    this.#machine = used;
    if (busy > MACHINE_FULL) note('machine', `${Math.round(busy * 100)} % of its CPU used`);
    for (const [n, now] of seen.entries()) {
      const viewer = this.#people[n].name;
      const before = this.#before.get(viewer);
      if (!now) continue;
      this.#before.set(viewer, now);
      if (!before) continue;
      const captured = now.captured - before.captured;
      if (now.captured > 0 && captured < CAPTURED_MIN) note(viewer, `captured ${captured} frames`);
      for (const [rid, sent] of Object.entries(now.sent)) {
        const was = before.sent[rid];
        if (!was) continue;
        if (sent.active !== was.active) note(viewer, `${rid} ${sent.active ? 'on' : 'off'}`);
        if (sent.keyframes !== was.keyframes) note(viewer, `${rid} +${sent.keyframes - was.keyframes} keyframe (${sent.plis - was.plis} asked)`);
        if (sent.limited !== was.limited) note(viewer, `${rid} limited by ${sent.limited}`);
        if (sent.width !== was.width) note(viewer, `${rid} ${was.width} -> ${sent.width} wide`);
        const frames = sent.frames - was.frames;
        if (sent.active && was.active && sent.width > 0 && frames < 16) note(viewer, `${rid} encoded ${frames} frames`);
      }
      for (const [of, got] of Object.entries(now.received)) {
        const was = before.received[of];
        if (!was) continue;
        if (got.width !== was.width) note(viewer, `sees ${of} ${was.width} -> ${got.width} wide`);
        if (got.plis !== was.plis) note(viewer, `asked ${got.plis - was.plis} keyframe of ${of}`);
        if (got.frozen_s > was.frozen_s) {
          const frames = got.frames - was.frames;
          const buffer_ms = (got.buffer_ms - was.buffer_ms) / Math.max(1, got.emitted - was.emitted);
          const frozen_ms = Math.round((got.frozen_s - was.frozen_s) * 1000);
          note(viewer, `froze ${frozen_ms} ms on ${of} (${frames} frames, ${got.dropped - was.dropped} dropped, ${got.nacks - was.nacks} nacks, ${((got.decode_ms - was.decode_ms) / Math.max(1, frames)).toFixed(0)} ms a decode, buffer ${buffer_ms.toFixed(0)} ms)`);
        }
      }
    }
  }
}
