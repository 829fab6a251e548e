/**
 * Two calls of the SDK in one page: one publishes a moving textured picture and a sound, the other watches. One of
 * them sends and receives through the impairment proxy. The bench says over a WebSocket what to do next.
 */

import { Call } from '/sdk/index.js';

const query = new URLSearchParams(location.search);
const bench = new WebSocket(query.get('bench'));
const open = new Promise((resolve) => bench.addEventListener('open', resolve, { once: true }));
const tell = (message) => bench.send(JSON.stringify(message));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** How connections that are made now are to be changed: {proxy: port | null, min_kbps: number | null}. */
let change = { proxy: null, min_kbps: null };
/** @type {RTCPeerConnection[]} The connections of the calls made since the last reset. */
let connections = [];

const Native = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Native {
  #change = change;

  constructor(...parameters) {
    super(...parameters);
    connections.push(this);
  }

  setRemoteDescription(description) {
    let { sdp } = description;
    const { proxy, min_kbps } = this.#change;
    if (proxy) sdp = sdp.replace(/^(a=candidate:\S+ \d+ udp \d+) \S+ \d+ /gim, `$1 127.0.0.1 ${proxy} `);
    if (min_kbps) sdp = withMinimum(sdp, min_kbps);
    return super.setRemoteDescription({ ...description, sdp });
  }
};

/** What pages do today against loss: never less than this, whatever the network says. */
function withMinimum(sdp, kbps) {
  return sdp.replace(/^a=rtpmap:(\d+) VP8\/90000\r?\n/gm, (line, pt) =>
    `${line}a=fmtp:${pt} x-google-min-bitrate=${kbps};x-google-start-bitrate=${kbps}\r\n`);
}

const context = new AudioContext();
await context.audioWorklet.addModule('/onset.js');

/** A voice-like hum, and each second a beep whose onset can be found again at the other end. */
function makeSound(beeps) {
  const out = context.createMediaStreamDestination();
  const hum = new OscillatorNode(context, { type: 'sawtooth', frequency: 140 });
  const syllables = new OscillatorNode(context, { frequency: 4 });
  const depth = new GainNode(context, { gain: 0.05 });
  const level = new GainNode(context, { gain: 0.1 });
  syllables.connect(depth).connect(level.gain);
  hum.connect(level).connect(out);
  const tone = new OscillatorNode(context, { frequency: 4000 });
  const gate = new GainNode(context, { gain: 0 });
  tone.connect(gate).connect(out);
  const sources = [hum, syllables, tone];
  for (const source of sources) source.start();
  let next = context.currentTime + 0.5;
  const timer = setInterval(() => {
    while (next < context.currentTime + 2) {
      gate.gain.setValueAtTime(0.4, next);
      gate.gain.setValueAtTime(0, next + 0.04);
      beeps.push(next);
      next += 1;
    }
  }, 500);
  const stop = () => {
    clearInterval(timer);
    for (const source of sources) source.stop();
  };
  return { track: out.stream.getAudioTracks()[0], stop };
}

const [WIDTH, HEIGHT] = [960, 540];

/** Noise of several sizes: nothing in it is cheap to encode. */
function texture(width, height, seed) {
  const canvas = new OffscreenCanvas(width, height);
  const paint = canvas.getContext('2d');
  let state = seed;
  const chance = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32);
  for (const size of [96, 32, 12, 5]) {
    paint.globalAlpha = 0.55;
    for (let n = 0; n < (width * height) / (size * size); n++) {
      paint.fillStyle = `hsl(${360 * chance()} ${30 + 40 * chance()}% ${20 + 60 * chance()}%)`;
      paint.fillRect(chance() * width - size, chance() * height - size, size, size * (0.4 + chance()));
    }
  }
  return canvas;
}

const background = texture(1600, 1000, 1);
const actors = [2, 3, 4].map((seed) => texture(220, 260, seed));

/** A moving picture: a background that pans, and three things that move and turn across it. */
function makePicture(fps) {
  const canvas = Object.assign(document.createElement('canvas'), { width: WIDTH, height: HEIGHT });
  Object.assign(canvas.style, { position: 'fixed', top: 0, left: 0 });
  document.body.append(canvas);
  const paint = canvas.getContext('2d', { alpha: false });
  let frame = 0;
  const draw = () => {
    const t = frame++ / fps;
    paint.setTransform(1, 0, 0, 1, 0, 0);
    paint.drawImage(background, -300 - 290 * Math.sin(t / 3), -220 - 210 * Math.sin(t / 2.3));
    actors.forEach((actor, n) => {
      const turn = Math.sin(t * (0.7 + 0.3 * n)) * 0.6;
      const [x, y] = [WIDTH * (0.5 + 0.4 * Math.sin(t * (0.5 + 0.2 * n) + n)), HEIGHT * (0.5 + 0.3 * Math.cos(t * 0.8 + 2 * n))];
      paint.setTransform(Math.cos(turn), Math.sin(turn), -Math.sin(turn), Math.cos(turn), x, y);
      paint.drawImage(actor, -110, -130);
    });
  };
  draw();
  const timer = setInterval(draw, 1000 / fps);
  const track = canvas.captureStream(fps).getVideoTracks()[0];
  const stop = () => {
    clearInterval(timer);
    track.stop();
    canvas.remove();
  };
  return { track, stop };
}

async function reachable(call) {
  const is = new Promise((resolve) => call.on('reachable', (yes) => yes && resolve()));
  call.prepare();
  return is;
}

/** Plays what arrives, and notes when beeps are heard. */
function watch(call, heard) {
  const elements = [];
  const seen = new Set();
  call.on('bound', (view) => {
    if (seen.has(view)) return;
    seen.add(view);
    // A tile of this size asks for the largest layer. What is below the fold is not watched, so nobody would send it.
    const video = Object.assign(document.createElement('video'), { playsInline: true, muted: true, width: WIDTH, height: HEIGHT });
    Object.assign(video.style, { position: 'fixed', top: 0, left: 0 });
    const audio = Object.assign(document.createElement('audio'), { autoplay: true, muted: true, srcObject: view.audio });
    document.body.append(video, audio);
    elements.push(video, audio);
    view.attach(video);
    audio.play().catch(() => {});
    if (!view.audio.getAudioTracks().length) return;
    const onset = new AudioWorkletNode(context, 'onset');
    onset.port.onmessage = ({ data }) => heard.push(data);
    context.createMediaStreamSource(view.audio).connect(onset);
  });
  return () => elements.forEach((element) => element.remove());
}

/** Sums over the entries that this side sends or receives. */
async function snapshot(connection) {
  const sum = { at: performance.now() };
  const add = (name, value) => (sum[name] = (sum[name] ?? 0) + (value ?? 0));
  (await connection.getStats()).forEach((entry) => {
    if (entry.type === 'inbound-rtp' && entry.kind === 'video') {
      add('video_bytes', entry.bytesReceived);
      add('video_rtx_bytes', entry.retransmittedBytesReceived);
      add('frames', entry.framesDecoded);
      add('keyframes', entry.keyFramesDecoded);
      add('freezes', entry.freezeCount);
      add('frozen_s', entry.totalFreezesDuration);
      add('width', entry.frameWidth);
      add('buffer_s', entry.jitterBufferDelay);
      add('buffered', entry.jitterBufferEmittedCount);
    } else if (entry.type === 'inbound-rtp') {
      add('samples', entry.totalSamplesReceived);
      add('concealed', (entry.concealedSamples ?? 0) - (entry.silentConcealedSamples ?? 0));
      add('audio_buffer_s', entry.jitterBufferDelay);
      add('audio_buffered', entry.jitterBufferEmittedCount);
    } else if (entry.type === 'outbound-rtp' && entry.kind === 'video') {
      add('sent_bytes', entry.bytesSent);
      add('sent_rtx_bytes', entry.retransmittedBytesSent);
      add(`sent_frames_${entry.rid}`, entry.framesSent);
    } else if (entry.type === 'candidate-pair' && entry.availableOutgoingBitrate) {
      sum.estimate_kbps = entry.availableOutgoingBitrate / 1000;
    }
  });
  return sum;
}

/** Each second: the publisher's estimate, and what its encodings aim at. Until the answer is called. */
function follow() {
  const seconds = [];
  const timer = setInterval(async () => {
    const [now, encodings] = [{}, []];
    (await connections[0].getStats()).forEach((entry) => {
      if (entry.type === 'candidate-pair' && entry.availableOutgoingBitrate) now.estimate_kbps = Math.round(entry.availableOutgoingBitrate / 1000);
      if (entry.type === 'outbound-rtp' && entry.rid) encodings.push(`${entry.rid}${entry.active ? '' : ' off'} ${Math.round((entry.targetBitrate ?? 0) / 1000)} kb/s ${entry.framesSent} frames`);
    });
    seconds.push(`${now.estimate_kbps} kb/s: ${encodings.sort().join(', ')}`);
  }, 1000);
  return () => {
    clearInterval(timer);
    return seconds;
  };
}

/** What getStats says of the media both ways, for people who ask why a row is missed. */
async function detail() {
  const kept = (names, entry) => Object.fromEntries(names.filter((name) => entry[name] !== undefined).map((name) => [name, entry[name]]));
  const all = [];
  for (const connection of connections) {
    (await connection.getStats()).forEach((entry) => {
      if (entry.type === 'outbound-rtp') {
        all.push(kept(['type', 'kind', 'rid', 'active', 'bytesSent', 'packetsSent', 'retransmittedPacketsSent', 'nackCount', 'pliCount', 'framesEncoded',
          'keyFramesEncoded', 'framesSent', 'hugeFramesSent', 'targetBitrate', 'qualityLimitationReason', 'frameWidth', 'totalPacketSendDelay', 'encoderImplementation'], entry));
      } else if (entry.type === 'inbound-rtp') {
        all.push(kept(['type', 'kind', 'packetsReceived', 'packetsLost', 'packetsDiscarded', 'bytesReceived', 'retransmittedPacketsReceived', 'fecPacketsReceived',
          'fecPacketsDiscarded', 'nackCount', 'pliCount', 'framesReceived', 'framesDecoded', 'framesDropped', 'keyFramesDecoded', 'freezeCount', 'frameWidth',
          'jitterBufferDelay', 'jitterBufferEmittedCount', 'concealedSamples', 'silentConcealedSamples', 'concealmentEvents', 'insertedSamplesForDeceleration',
          'removedSamplesForAcceleration'], entry));
      } else if (entry.type === 'remote-inbound-rtp') {
        all.push(kept(['type', 'kind', 'ssrc', 'fractionLost', 'roundTripTime'], entry));
      } else if (entry.type === 'codec') {
        all.push(kept(['type', 'mimeType', 'payloadType', 'sdpFmtpLine'], entry));
      }
    });
  }
  const metrics = await (await fetch('/metrics')).text();
  return [...all, metrics.split('\n').filter((line) => line.startsWith('sampan_sfu') && !line.endsWith(' 0'))];
}

const middle = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** One scenario: {impaired: 'publisher' | 'subscriber', proxy, min_kbps, room, fps, warm_up_s, seconds}. */
async function scenario({ impaired, proxy, min_kbps, room, fps, warm_up_s, seconds }) {
  connections = [];
  const [beeps, heard] = [[], []];
  const [sound, picture] = [makeSound(beeps), makePicture(fps)];
  const url = `ws://${location.host}/ws`;
  change = { proxy: impaired === 'publisher' ? proxy : null, min_kbps };
  const publisher = new Call({ url });
  const publishable = reachable(publisher);
  change = { proxy: impaired === 'subscriber' ? proxy : null, min_kbps: null };
  const subscriber = new Call({ url });
  const unwatch = watch(subscriber, heard);
  await Promise.all([publishable, reachable(subscriber)]);
  try {
    await publisher.publish('microphone', sound.track);
    await publisher.publish('camera', picture.track);
    await publisher.join({ room, name: 'publisher', start_ms: performance.now() });
    await subscriber.join({ room, name: 'subscriber', start_ms: performance.now() });
    const followed = follow();
    await sleep(warm_up_s * 1000);
    const [sending, receiving] = connections;
    const before = [await snapshot(sending), await snapshot(receiving)];
    tell({ type: 'measuring' });
    const [from, first] = [context.currentTime, heard.length];
    await sleep(seconds * 1000);
    const after = [await snapshot(sending), await snapshot(receiving)];
    const late = heard.slice(first).map((at) => at - beeps.findLast((beep) => beep <= at)).map((s) => s * 1000);
    const took = (after[1].at - before[1].at) / 1000;
    const grew = (which, name) => (after[which][name] ?? 0) - (before[which][name] ?? 0);
    const share = (part, whole) => (whole > 0 ? part / whole : undefined);
    tell({
      type: 'scenario',
      video_kbps: (8 * grew(1, 'video_bytes')) / 1000 / took,
      rtx_kbps: (8 * grew(1, 'video_rtx_bytes')) / 1000 / took,
      fps: grew(1, 'frames') / took,
      width: after[1].width,
      keyframes: grew(1, 'keyframes'),
      frozen_pct: (100 * grew(1, 'frozen_s')) / took,
      concealed_pct: 100 * (share(grew(1, 'concealed'), grew(1, 'samples')) ?? NaN),
      audio_buffer_ms: 1000 * (share(grew(1, 'audio_buffer_s'), grew(1, 'audio_buffered')) ?? NaN),
      m2e_ms: context.currentTime - from > 5 && late.length > 3 ? middle(late) : undefined,
      sent_kbps: (8 * grew(0, 'sent_bytes')) / 1000 / took,
      estimate_kbps: after[0].estimate_kbps,
      detail: [...(await detail()), followed(), subscriber.quality],
      sent_fps: ['l', 'm', 'h'].map((rid) => grew(0, `sent_frames_${rid}`) / took),
    });
  } finally {
    for (const call of [publisher, subscriber]) call.leave();
    unwatch();
    sound.stop();
    picture.stop();
  }
}

const LIMIT_MS = 25_000;

/** One join through the proxy into a room where somebody is sent already: {proxy, room}. */
async function join({ proxy, room }) {
  change = { proxy, min_kbps: null };
  const call = new Call({ url: `ws://${location.host}/ws` });
  const unwatch = watch(call, []);
  await reachable(call);
  await sleep(300);
  const start = performance.now();
  await call.join({ room, name: 'newcomer', start_ms: start });
  while (performance.now() - start < LIMIT_MS && call.stages.first_frame_ms === undefined) await sleep(10);
  const { stages } = call;
  call.leave();
  unwatch();
  tell({ type: 'join', stages });
}

let talker = null;

/** Somebody who is there for newcomers: {room, fps}; without a room the last one goes. */
async function talk({ room, fps }) {
  talker?.();
  talker = null;
  if (room) {
    change = { proxy: null, min_kbps: null };
    const [sound, picture] = [makeSound([]), makePicture(fps)];
    const call = new Call({ url: `ws://${location.host}/ws` });
    await reachable(call);
    await call.publish('microphone', sound.track);
    await call.publish('camera', picture.track);
    await call.join({ room, name: 'talker', start_ms: performance.now() });
    talker = () => {
      call.leave();
      sound.stop();
      picture.stop();
    };
  }
  tell({ type: 'talking' });
}

bench.addEventListener('message', async ({ data }) => {
  const order = JSON.parse(data);
  try {
    await { scenario, join, talk }[order.type](order);
  } catch (error) {
    tell({ type: 'failed', why: `${error.code ?? ''} ${error.message ?? error}` });
  }
});
await open;
await context.resume();
tell({ type: 'ready', sound: context.state });
