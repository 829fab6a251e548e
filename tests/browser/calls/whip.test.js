/** WHIP and WHEP as browsers speak them: a publisher that is not ours, from a page of another origin, and players without any library. */

import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { launchChromium, launchFirefox } from '../lib/browsers.js';
import { bundled } from '../lib/commonjs.js';
import { Person, until } from '../lib/person.js';
import { installPlayer } from '../lib/player.js';
import { startServer } from '../lib/server.js';
import { serveFiles } from '../lib/static.js';
import { HUES } from '../lib/witness.js';

const TIMEOUT = { timeout: 180_000 };

/** In a page: publishes a colour and a tone through `@eyevinn/whip-web-client`. */
async function publish({ endpoint, hue }) {
  window.answered = [];
  const original = window.fetch;
  window.fetch = async (url, options) => {
    const response = await original(url, options);
    window.answered.push(`${options.method} ${response.status}`);
    return response;
  };
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
  const picture = canvas.getContext('2d');
  setInterval(() => {
    picture.fillStyle = `hsl(${hue} 100% 50%)`;
    picture.fillRect(0, 0, 640, 360);
    picture.fillStyle = `hsl(0 0% ${Math.round(performance.now() / 20) % 100}%)`;
    picture.fillRect(600, 0, 40, 360);
  }, 66);
  const audio = new AudioContext();
  const out = audio.createMediaStreamDestination();
  const tone = new OscillatorNode(audio, { frequency: 440 });
  tone.connect(out);
  tone.start();
  const client = new window.required.WHIPClient({ endpoint, opts: { iceServers: [] } });
  await client.ingest(new MediaStream([...canvas.captureStream().getTracks(), ...out.stream.getTracks()]));
  window.client = client;
}

describe('WHIP and WHEP in browsers', () => {
  let server, browser, files;
  /** @type {(() => unknown)[]} */
  let cleanups = [];

  before(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sampan-whip-'));
    writeFileSync(join(folder, 'client.js'), bundled('@eyevinn/whip-web-client'));
    writeFileSync(join(folder, 'index.html'), '<!doctype html><script src="client.js"></script>');
    files = await serveFiles({ '/': `${folder}/` });
    server = await startServer();
    browser = await launchChromium();
  }, TIMEOUT);
  after(async () => {
    await browser?.close();
    await files?.close();
    await server?.stop();
  });
  afterEach(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
    cleanups = [];
  });

  const blank = async () => {
    const context = await browser.newContext();
    cleanups.push(() => context.close());
    return context.newPage();
  };
  const publisher = async (room, hue) => {
    const page = await blank();
    await page.goto(files.url);
    await page.evaluate(publish, { endpoint: `${server.url}/whip/${room}?name=Encoder`, hue });
    await until('the publisher is connected', () => page.evaluate(() => window.client.getICEConnectionState() === 'connected'));
    return page;
  };
  const people = async (room) => (await (await fetch(`${server.url}/v1/rooms/${room}`)).json()).people?.map(({ name }) => name) ?? [];
  const sees = (page, hue) => until('the player shows the publisher’s colour and plays a sound', async () => {
    const seen = await page.evaluate(() => window.look());
    return seen.hue !== null && Math.abs(seen.hue - hue) < 25 && seen.decoded > 15 && seen.energy > 1e-3;
  }, { explain: () => page.evaluate(() => window.look()) });

  test('@eyevinn/whip-web-client publishes from another origin; people and players see it until it is over', TIMEOUT, async () => {
    const page = await publisher('studio', HUES[1]);
    const ada = await (await Person.open(await blank(), 'Ada', server.url, { room: 'studio' })).join();
    await ada.sees('Encoder');
    await ada.receives(1);
    const player = await blank();
    await player.goto(server.url);
    await player.evaluate(installPlayer, { room: 'studio' });
    await sees(player, HUES[1]);
    await until('its candidates were taken', () => page.evaluate(() => window.answered.includes('PATCH 204')), { explain: () => page.evaluate(() => window.answered) });
    await page.evaluate(() => window.client.destroy());
    const answered = await page.evaluate(() => window.answered);
    assert.deepEqual([answered[0], answered[1], answered.at(-1)], ['OPTIONS 204', 'POST 201', 'DELETE 200']);
    assert.deepEqual(answered.filter((one) => !/ 20[014]$/.test(one)), [], 'nothing is refused');
    await ada.seesNot('Encoder');
    assert.equal(await player.evaluate(() => window.endPlaying()), 200);
    assert.deepEqual(await people('studio'), ['Ada']);
  });

  test('Firefox plays it by WHEP as well', TIMEOUT, async () => {
    const firefox = await launchFirefox();
    cleanups.push(() => firefox.close());
    await publisher('cinema', HUES[4]);
    const player = await firefox.newPage();
    await player.goto(server.url);
    await player.evaluate(installPlayer, { room: 'cinema' });
    await sees(player, HUES[4]);
    assert.equal(await player.evaluate(() => window.endPlaying()), 200);
    assert.deepEqual(await people('cinema'), ['Encoder']);
  });
});
