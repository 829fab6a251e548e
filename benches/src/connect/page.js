/**
 * Joins again and again on the SDK, as the demo page does: the call is prepared before the click, the camera and the
 * microphone are on, and every slot has elements that play it.
 */

import { Call } from '/sdk/index.js';

const query = new URLSearchParams(location.search);
const [joins, warmUp] = ['joins', 'warm_up'].map((name) => Number(query.get(name)));
const report = new WebSocket(query.get('report'));
const tell = (message) => report.send(JSON.stringify(message));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const LIMIT_MS = 10_000;
/** Between two joins: the last goodbye is not measured, and a warm page has been open for a moment. */
const PAUSE_MS = 400;

async function prepared(media) {
  const call = new Call({ url: `ws://${location.host}/ws` });
  const elements = [];
  const seen = new Set();
  const one = { call, shown: null };
  call.on('bound', (view) => {
    if (seen.has(view)) return;
    seen.add(view);
    const video = Object.assign(document.createElement('video'), { playsInline: true, width: 160 });
    const audio = Object.assign(document.createElement('audio'), { autoplay: true, srcObject: view.audio });
    document.body.append(video, audio);
    elements.push(video, audio);
    view.attach(video);
    video.requestVideoFrameCallback((now) => (one.shown ??= now));
    audio.play().catch(() => {});
  });
  const reachable = new Promise((resolve) => call.on('reachable', (is) => is && resolve()));
  call.prepare();
  const [audio, video] = [media.getAudioTracks()[0].clone(), media.getVideoTracks()[0].clone()];
  await call.publish('microphone', audio);
  await call.publish('camera', video);
  await reachable;
  await sleep(PAUSE_MS);
  one.leave = () => {
    call.leave();
    for (const element of elements) element.remove();
    for (const track of [audio, video]) track.stop();
  };
  return one;
}

async function join(one, room, name) {
  const { call } = one;
  const start = performance.now();
  await call.join({ room, name, start_ms: start });
  while (performance.now() - start < LIMIT_MS) {
    const { first_audio_ms, first_frame_ms } = call.stages;
    if (first_audio_ms !== undefined && first_frame_ms !== undefined && one.shown !== null) break;
    await sleep(10);
  }
  return { stages: call.stages, shown_ms: one.shown === null ? undefined : one.shown - start };
}

async function alone(number) {
  const media = await camera;
  const one = await prepared(media);
  const result = await join(one, query.get('room'), `page ${number}`);
  one.leave();
  tell({ type: 'join', together: false, warm: number >= 0, ...result });
}

async function together(number) {
  const media = await camera;
  const both = [await prepared(media), await prepared(media)];
  const results = await Promise.all(both.map((one, index) => join(one, `pages ${number}`, `page ${index}`)));
  for (const one of both) one.leave();
  for (const result of results) tell({ type: 'join', together: true, warm: number >= 0, ...result });
}

const camera = navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 960, height: 540, frameRate: 15 } });
await new Promise((resolve) => report.addEventListener('open', resolve, { once: true }));
try {
  for (let number = -warmUp; number < joins; number++) await alone(number);
  for (let number = -1; number < joins; number++) await together(number);
  tell({ type: 'done' });
} catch (error) {
  tell({ type: 'failed', why: `${error.code ?? ''} ${error.message ?? error}` });
}
