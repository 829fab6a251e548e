/**
 * Both ends of a call in one page, so that everything is on one clock: one sends speech and a moving picture with a barcode,
 * the other listens and watches behind the bad network. The lab says over a WebSocket what to do.
 */

import { Call } from '/sdk/index.js';
import { makePicture, readPicture } from '/picture.js';
import * as p2p from '/p2p.js';

const lab = new WebSocket(new URLSearchParams(location.search).get('lab'));
lab.binaryType = 'arraybuffer';
const open = new Promise((resolve) => lab.addEventListener('open', resolve, { once: true }));
const tell = (message) => lab.send(JSON.stringify(message));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const FPS = 25;
const PATIENCE_MS = 25_000;
const LOBBY_MS = 3_000;

/** Of connections that are made now: where the media of the server is to be looked for. */
let media = null;
let made = [];
const Native = window.RTCPeerConnection;
class Rewritten extends Native {
  #media = media;

  constructor(...parameters) {
    super(...parameters);
    made.push(this);
  }

  setRemoteDescription(description) {
    const address = this.#media?.replace(':', ' ');
    const sdp = address ? description.sdp.replace(/^(a=candidate:\S+ \d+ udp \d+) \S+ \d+ /gim, `$1 ${address} `) : description.sdp;
    return super.setRemoteDescription({ type: description.type, sdp });
  }
}

// The rate of the corpus, so that nothing is lost on the way into the recording.
const context = new AudioContext({ sampleRate: 16_000 });
await context.audioWorklet.addModule('/tap.js');
const speech = await context.decodeAudioData(await (await fetch('/speech.wav')).arrayBuffer());

/** Speech in a loop, and a recorder of it and of whatever is connected to `heard`. */
function makeSound() {
  const out = context.createMediaStreamDestination();
  const source = new AudioBufferSourceNode(context, { buffer: speech, loop: true });
  const tap = new AudioWorkletNode(context, 'tap', { numberOfInputs: 2, numberOfOutputs: 0, channelCount: 1, channelCountMode: 'explicit' });
  const blocks = [];
  tap.port.onmessage = ({ data }) => blocks.push(data);
  source.connect(out);
  source.connect(tap, 0, 0);
  source.start();
  const track = out.stream.getAudioTracks()[0];
  let heard = null;
  const listen = (stream) => (heard = context.createMediaStreamSource(stream)).connect(tap, 0, 1);
  const unlisten = () => heard?.disconnect();
  const stop = () => {
    source.stop();
    track.stop();
    tap.disconnect();
  };
  return { track, blocks, listen, unlisten, stop };
}

/** Elements that play a stream; the picture is read. */
function play(seen) {
  const video = Object.assign(document.createElement('video'), { playsInline: true, muted: true, width: 640, height: 360 });
  const audio = Object.assign(document.createElement('audio'), { autoplay: true, muted: true });
  document.body.append(video, audio);
  const unread = readPicture(video, seen);
  return {
    video,
    audio,
    show: (tracks) => { video.srcObject = tracks; video.play().catch(() => {}); },
    hear: (tracks) => { audio.srcObject = tracks; audio.play().catch(() => {}); },
    stop: () => { unread(); video.remove(); audio.remove(); },
  };
}

/** As in the lobby: the server holds a place. */
async function reachable(call, wish) {
  const is = new Promise((resolve) => call.on('reachable', (yes) => yes && resolve()));
  call.prepare(wish);
  return is;
}

/** Through our server: {sender_url, sender_media, watcher_url, watcher_media, room}. The sender stays from call to call. */
async function page({ sender_url, sender_media, watcher_url, watcher_media, room }, screen) {
  window.RTCPeerConnection = Rewritten;
  const { sound, picture } = studio;
  if (!studio.sender) {
    media = sender_media;
    studio.sender = new Call({ url: sender_url });
    await reachable(studio.sender, { room, name: 'ann' });
    await studio.sender.publish('microphone', sound.track);
    await studio.sender.publish('camera', picture.track);
    await studio.sender.join({ room, name: 'ann', start_ms: performance.now() });
    // A group of pictures and an estimate are there.
    await sleep(2500);
  }
  made = [];
  media = watcher_media;
  const ben = new Call({ url: watcher_url });
  await reachable(ben, { room, name: 'ben' });
  window.RTCPeerConnection = Native;
  const [receiving] = made;
  let seen = null;
  // As the demo page does: a browser decodes sound for somebody who plays it.
  const early = [];
  ben.on('opened', (view) => {
    const audio = Object.assign(document.createElement('audio'), { autoplay: true, muted: true, srcObject: view.audio });
    early.push(audio);
    audio.play().catch(() => {});
  });
  ben.on('bound', (view) => {
    if (seen) return;
    seen = view;
    view.attach(screen.video);
    screen.hear(view.audio);
    sound.listen(view.audio);
  });
  // A warm page: somebody has looked at the lobby for some seconds.
  await sleep(LOBBY_MS);
  const click = async () => ben.join({ room, name: 'ben', start_ms: performance.now() });
  const leave = () => {
    ben.leave();
    for (const audio of early) audio.srcObject = null;
  };
  return { receiving, click, stages: () => ben.stages, leave };
}

/** Without a server for media. */
async function direct(order, screen) {
  window.RTCPeerConnection = Native;
  const { sound, picture } = studio;
  const link = (a, b) => new Promise((resolve) => {
    links.push(resolve);
    tell({ type: 'link', a, b });
  });
  const pair = await p2p.prepare({ ...order, tracks: [sound.track, picture.track], link });
  const tracks = new MediaStream([pair.audio.track]);
  screen.show(new MediaStream([pair.video.track]));
  screen.hear(tracks);
  sound.listen(tracks);
  const stages = {};
  let start = 0;
  const reach = (stage, at = performance.now()) => (stages[`${stage}_ms`] ??= Math.max(0, at - start));
  const click = async () => {
    start = performance.now();
    const timer = setInterval(() => {
      const [audio, video] = [pair.audio, pair.video].map((receiver) => receiver.getSynchronizationSources()[0]?.timestamp);
      if (audio) reach('first_audio', audio - performance.timeOrigin);
      if (video) reach('first_frame', video - performance.timeOrigin);
      if (audio && video) clearInterval(timer);
    }, 10);
    await pair.click(reach);
  };
  return { ...pair, click, stages: () => stages };
}

/** Answers to `link`, in order. */
const links = [];

async function snapshot(connection) {
  const sum = {};
  const add = (name, value) => (sum[name] = (sum[name] ?? 0) + (value ?? 0));
  (await connection.getStats()).forEach((entry) => {
    if (entry.type !== 'inbound-rtp') return;
    if (entry.kind === 'video') {
      add('video_bytes', entry.bytesReceived);
      add('width', entry.frameWidth);
      add('freezes', entry.freezeCount);
    } else {
      add('audio_bytes', entry.bytesReceived);
      add('samples', entry.totalSamplesReceived);
      add('concealed', (entry.concealedSamples ?? 0) - (entry.silentConcealedSamples ?? 0));
      add('buffer_s', entry.jitterBufferDelay);
      add('buffered', entry.jitterBufferEmittedCount);
    }
  });
  return sum;
}

const complete = ({ first_audio_ms, first_frame_ms }) => first_audio_ms !== undefined && first_frame_ms !== undefined;

/** Speech, picture and, through our server, the one who sends them: {key, sound, picture, sender}. */
let studio = null;

function openStudio(key) {
  if (studio?.key === key) return;
  studio?.sender?.leave();
  studio?.sound.stop();
  studio?.picture.stop();
  studio = { key, sound: makeSound(), picture: makePicture(FPS), sender: null };
}

/** One call: {kind: 'page' | 'p2p', seconds, ...}. With no seconds only the join is measured. */
async function call(order) {
  openStudio(`${order.kind} ${order.room}`);
  const { sound, picture } = studio;
  sound.blocks.length = 0;
  const shown = [];
  const screen = play((number, at_ms, width) => shown.push({ number, at_ms, width }));
  let one = null;
  try {
    one = await (order.kind === 'p2p' ? direct : page)(order, screen);
    const clicked = performance.now();
    tell({ type: 'clicked' });
    const clicked_sample = Math.round(context.currentTime * context.sampleRate);
    one.click().catch(() => {}); // The stages tell how far it came.
    while (performance.now() - clicked < PATIENCE_MS && !complete(one.stages())) await sleep(10);
    const looks = [];
    for (let second = 0; second < order.seconds; second++) {
      await sleep(1000);
      looks.push({ at_ms: performance.now() - clicked, ...(await snapshot(one.receiving)) });
    }
    const ended = performance.now();
    const captured = [...picture.captured].map(([number, at]) => [number, at - clicked]);
    if (order.seconds) {
      // The last block of the recorder.
      await sleep(1100);
      for (const which of ['said', 'heard']) {
        const all = new Int16Array(sound.blocks.length * 16_000);
        sound.blocks.forEach((block, at) => all.set(block[which], at * 16_000));
        lab.send(all.buffer);
      }
    }
    tell({
      type: 'call',
      stages: one.stages(),
      ended_ms: ended - clicked,
      clicked_sample: clicked_sample - (sound.blocks[0]?.from ?? 0),
      captured: captured.filter(([, at]) => at >= -1000),
      shown: shown.map(({ number, at_ms, width }) => [number, at_ms - clicked, width]),
      looks,
    });
  } finally {
    one?.leave();
    screen.stop();
    sound.unlisten();
  }
}

lab.addEventListener('message', async ({ data }) => {
  const order = JSON.parse(data);
  try {
    if (order.type === 'link') links.shift()?.(order);
    else await call(order);
  } catch (error) {
    tell({ type: 'failed', why: `${error.code ?? ''} ${error.message ?? error}` });
  }
});
await open;
await context.resume();
tell({ type: 'ready', sound: context.state });
