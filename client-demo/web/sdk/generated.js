/** A moving picture and a tone for those without camera or microphone. Both differ from person to person. */

import { CAMERA_SIZE } from './devices.js';

/** A few pages on one machine each encode three layers: 15 frames a second keep two cores free. */
const FRAMES_PER_SECOND = 15;

/** A hue in degrees from a name: the same everywhere, far apart for names that differ by a letter. @param {string} name */
export function hueOf(name) {
  let hash = 2166136261;
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16777619);
  return ((hash >>> 0) * 137.508) % 360;
}

/**
 * A boat on moving water, in the colour of the name.
 * @param {string} name
 * @returns {{track: MediaStreamTrack, stop: () => void}}
 */
export function generatedPicture(name) {
  const { width, height } = CAMERA_SIZE;
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { alpha: false }));
  const hue = hueOf(name);
  const draw = () => drawScene(context, width, height, hue, performance.now() / 1000);
  draw();
  // A worker keeps the time: browsers slow the timers of a hidden tab down to one a second.
  const ticker = new Worker(new URL('./ticker.js', import.meta.url));
  ticker.onmessage = draw;
  ticker.postMessage(1000 / FRAMES_PER_SECOND);
  const [track] = canvas.captureStream(FRAMES_PER_SECOND).getVideoTracks();
  track.contentHint = 'motion';
  return {
    track,
    stop: () => {
      ticker.terminate();
      track.stop();
    },
  };
}

/** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height @param {number} hue @param {number} seconds */
function drawScene(context, width, height, hue, seconds) {
  const sky = context.createLinearGradient(0, 0, 0, height);
  sky.addColorStop(0, `hsl(${hue} 55% 72%)`);
  sky.addColorStop(0.65, `hsl(${hue} 60% 86%)`);
  context.fillStyle = sky;
  context.fillRect(0, 0, width, height);
  context.fillStyle = `hsl(${hue} 70% 94%)`;
  disc(context, width * 0.74, height * 0.3, height * 0.11);
  const sea = (/** @type {number} */ x, /** @type {number} */ phase) => Math.sin(x / 130 + phase) * 9 + Math.sin(x / 57 - phase * 1.4) * 4;
  wave(context, width, height, height * 0.62, (x) => sea(x, seconds * 0.9), `hsl(${hue} 45% 62%)`);
  const x = width * 0.5 + Math.sin(seconds * 0.35) * width * 0.16;
  const y = height * 0.7 + sea(x, seconds * 1.3 + 2);
  context.save();
  context.translate(x, y);
  context.rotate(Math.sin(seconds * 1.3) * 0.06);
  boat(context, height / 540, hue);
  context.restore();
  wave(context, width, height, height * 0.72, (at) => sea(at, seconds * 1.3 + 2), `hsl(${hue} 50% 46%)`);
  wave(context, width, height, height * 0.85, (at) => sea(at, -seconds * 1.1 + 4), `hsl(${hue} 55% 34%)`);
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} radius */
function disc(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, Math.PI * 2);
  context.fill();
}

/**
 * @param {CanvasRenderingContext2D} context @param {number} width @param {number} height @param {number} top
 * @param {(x: number) => number} swell @param {string} colour
 */
function wave(context, width, height, top, swell, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(0, height);
  for (let x = 0; x <= width; x += 16) context.lineTo(x, top + swell(x));
  context.lineTo(width, height);
  context.fill();
}

/** @param {CanvasRenderingContext2D} context @param {number} scale @param {number} hue */
function boat(context, scale, hue) {
  context.scale(scale, scale);
  context.fillStyle = `hsl(${hue} 40% 22%)`;
  context.beginPath(); // The hull, its bow and stern raised.
  context.moveTo(-150, -34);
  context.quadraticCurveTo(-100, 34, 0, 34);
  context.quadraticCurveTo(100, 34, 162, -46);
  context.quadraticCurveTo(90, -8, 0, -8);
  context.quadraticCurveTo(-90, -8, -150, -34);
  context.fill();
  context.fillStyle = `hsl(${(hue + 180) % 360} 55% 55%)`;
  context.beginPath(); // The mat roof.
  context.moveTo(-70, -10);
  context.quadraticCurveTo(-64, -84, 0, -84);
  context.quadraticCurveTo(64, -84, 70, -10);
  context.fill();
}

/**
 * A quiet tone that swells twice a second, at a pitch of the name's own.
 * @param {string} name
 * @returns {{track: MediaStreamTrack, stop: () => void}}
 */
export function generatedTone(name) {
  const context = new AudioContext();
  const output = context.createMediaStreamDestination();
  const tone = new OscillatorNode(context, { type: 'sine', frequency: 220 * 2 ** (Math.round(hueOf(name) / 30) / 12) });
  const swell = new OscillatorNode(context, { frequency: 2 });
  const depth = new GainNode(context, { gain: 0.04 });
  const level = new GainNode(context, { gain: 0.06 });
  swell.connect(depth).connect(level.gain);
  tone.connect(level).connect(output);
  tone.start();
  swell.start();
  // Without a click on the page yet, browsers hold the context back.
  const resume = () => void context.resume().catch(() => {});
  resume();
  addEventListener('pointerdown', resume, { once: true });
  addEventListener('keydown', resume, { once: true });
  const [track] = output.stream.getAudioTracks();
  return {
    track,
    stop: () => {
      removeEventListener('pointerdown', resume);
      removeEventListener('keydown', resume);
      track.stop();
      void context.close();
    },
  };
}
