/**
 * A call of three real browsers and the native participant, watched for minutes:
 * `npm run long-call -- [--minutes 10] [--fps 10] [--window 520x400] [--json]`.
 *
 * All four run on one machine, with codecs and painting in software, and a freeze for want of CPU is a freeze. The cameras' frame
 * rate and the windows are therefore small enough for two cores; with more, take `--fps 15 --window 1280x720`.
 *
 * Ends with code 1 if anybody saw a freeze, decoded fewer than 90 % of the frames that were sent to them, or heard more than
 * 0.5 % of concealed sound. Uses SAMPAN_BIN and SAMPAN_BOT_BIN where they are set, and builds the debug binaries otherwise.
 */

import { parseArgs } from 'node:util';
import { launchChromium, launchFirefox } from './lib/browsers.js';
import { Person } from './lib/person.js';
import { startBot, startServer } from './lib/server.js';
import { Timeline } from './lib/timeline.js';

const { values: options } = parseArgs({ options: {
  minutes: { type: 'string', default: '10' }, fps: { type: 'string', default: '10' }, window: { type: 'string', default: '520x400' }, json: { type: 'boolean', default: false },
} });
const minutes = Number(options.minutes);
if (!(minutes > 0)) throw new Error(`--minutes takes a number above zero, not "${options.minutes}"`);
const fps = Number(options.fps);
if (!(fps >= 1 && fps <= 60)) throw new Error(`--fps takes a number from 1 to 60, not "${options.fps}"`);
const [width, height] = options.window.split('x').map(Number);
if (!(width >= 320 && height >= 240)) throw new Error(`--window takes a size from 320x240 on, not "${options.window}"`);
/** The native participant's tiles are as large as the pages': four to a window. */
const tile = `${Math.round(width / 2)}x${Math.round(height / 2)}`;

const DECODED_MIN = 0.9;
const CONCEALED_MAX = 0.005;
const ROOM = 'long-call';
/** Layers and jitter buffers find their place after a join. */
const SETTLE_MS = 5_000;
const say = (text) => process.stderr.write(`${text}\n`);

/** In the page: counters of its live connection, by slot. */
function counters() {
  const peer = window.testPeers.filter((one) => one.connectionState === 'connected').at(-1);
  const mids = new Map(peer.getTransceivers().map((one) => [one.receiver.track.id, one.mid]));
  return peer.getStats().then((report) => {
    const result = { received: [], concealed: 0, samples: 0 };
    report.forEach((entry) => {
      if (entry.type !== 'inbound-rtp') return;
      if (entry.kind === 'video' && entry.framesReceived > 0) {
        result.received.push({
          mid: entry.mid ?? mids.get(entry.trackIdentifier), frames: entry.framesReceived, decoded: entry.framesDecoded,
          dropped: entry.framesDropped ?? 0, freezes_s: entry.totalFreezesDuration ?? 0, freezes: entry.freezeCount ?? 0,
          lost: entry.packetsLost, width: entry.frameWidth,
        });
      }
      if (entry.kind === 'audio' && entry.totalSamplesReceived > 0) {
        result.samples += entry.totalSamplesReceived;
        result.concealed += entry.concealedSamples - (entry.silentConcealedSamples ?? 0);
      }
    });
    return result;
  });
}

const server = await startServer();
const flags = [`--use-fake-device-for-media-stream=fps=${fps}`];
const prefs = { 'media.navigator.video.default_fps': fps, 'media.navigator.video.default_minfps': fps };
const browsers = [await launchChromium({ flags }), await launchChromium({ flags }), await launchFirefox({ prefs })];
let bot = null;
let failed = false;
try {
  const names = ['Ada', 'Grace', 'Fiona'];
  const people = [];
  for (const [n, browser] of browsers.entries()) {
    const page = await browser.newPage();
    await (page.setViewportSize ?? page.setViewport).call(page, { width, height });
    people.push(await (await Person.open(page, names[n], server.url, { room: ROOM })).join());
  }
  for (const person of people) for (const name of names) if (name !== person.name) await person.sees(name);
  // Last, since it counts from its own first frames, and starting a browser takes all the machine has.
  bot = startBot(['join', '--server', server.url, '--room', ROOM, '--name', 'Bot', '--show', tile, '--json']);
  const everybody = [...names, 'Bot'];
  for (const person of people) for (const name of everybody) if (name !== person.name) await person.sees(name);
  await people[0].screenshot('long-call');
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));

  // Joining is not measured: what counts is the difference from here on.
  const start = await Promise.all(people.map((person) => person.page.evaluate(counters)));
  const timeline = new Timeline(people).start();
  const began = performance.now();
  while (performance.now() - began < minutes * 60_000) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(30_000, minutes * 60_000)));
    say(`${((performance.now() - began) / 60_000).toFixed(1)} of ${minutes} minutes`);
  }
  await timeline.stop();
  const end = await Promise.all(people.map((person) => person.page.evaluate(counters)));
  bot.stop('SIGINT');
  const native = JSON.parse((await bot.finished).output);

  const results = people.map((person, n) => {
    const pictures = end[n].received.map((slot) => {
      const before = start[n].received.find((one) => one.mid === slot.mid) ?? { frames: 0, decoded: 0, freezes_s: 0, freezes: 0 };
      const frames = slot.frames - before.frames;
      return {
        mid: slot.mid, frames, decoded_share: (slot.decoded - before.decoded) / frames, freezes: slot.freezes - before.freezes,
        freezes_s: slot.freezes_s - before.freezes_s, fps: frames / (minutes * 60), width: slot.width, lost: slot.lost,
      };
    });
    const concealed_share = (end[n].concealed - start[n].concealed) / (end[n].samples - start[n].samples);
    return { name: person.name, pictures, concealed_share, complaints: person.complaints };
  });
  for (const { name, pictures, concealed_share } of results) {
    const worst = Math.min(...pictures.map((one) => one.decoded_share));
    const frozen = pictures.reduce((sum, one) => sum + one.freezes_s, 0);
    const good = pictures.length === 3 && worst >= DECODED_MIN && frozen === 0 && concealed_share < CONCEALED_MAX;
    failed ||= !good;
    say(`${good ? 'good' : 'BAD '}  ${name}: ${pictures.length} pictures, ${(worst * 100).toFixed(1)} % decoded at worst, frozen ${frozen.toFixed(2)} s, ${(concealed_share * 100).toFixed(3)} % concealed`);
  }
  for (const line of timeline.report()) say(line);
  for (const from of native.received) {
    const frozen = from.video?.frozen_ms ?? NaN;
    const good = frozen === 0 && from.audio?.lost === 0;
    failed ||= !good;
    say(`${good ? 'good' : 'BAD '}  Bot from ${from.name}: ${from.video?.frames} frames, frozen ${frozen} ms, audio lost ${from.audio?.lost}`);
  }
  if (options.json) process.stdout.write(`${JSON.stringify({ minutes, browsers: results, native, events: timeline.events })}\n`);
} finally {
  bot?.stop('SIGKILL');
  await Promise.all(browsers.map((browser) => browser.close()));
  await server.stop();
}
process.exit(failed ? 1 : 0);
