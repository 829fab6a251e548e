/** Calls that are encrypted end to end: who has the key sees and hears, nobody else does. */

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { launchChromium, launchFirefox } from '../lib/browsers.js';
import { wire } from '../lib/cut.js';
import { Person, until } from '../lib/person.js';
import { installPlayer } from '../lib/player.js';
import { startBot, startServer } from '../lib/server.js';
import { HUES, installStage } from '../lib/witness.js';

const TIMEOUT = { timeout: 240_000 };
const KEY = 'correct horse battery staple';

describe('a call with a key', () => {
  let server, browser;
  /** @type {(() => unknown)[]} */
  let cleanups = [];

  before(async () => {
    server = await startServer();
    browser = await launchChromium();
  }, TIMEOUT);
  after(async () => {
    await browser?.close();
    await server?.stop();
  });
  afterEach(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
    cleanups = [];
  });

  const blank = async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    cleanups.push(() => context.close());
    return context.newPage();
  };
  const person = async (name, room, { url = server.url, ...options } = {}) => Person.open(await blank(), name, url, { room, key: KEY, ...options });
  const tile = async (who, name) => (await who.tiles()).find((one) => one.name === name);
  const hasProblem = (who, name, problem) => until(`${who.name} is told of ${name}: ${problem || 'no problem'}`, async () => (await tile(who, name))?.problem === problem, {
    explain: () => who.tiles(),
  });
  const decoded = async (who) => Object.values((await who.stats()).video).reduce((sum, { frames }) => sum + frames, 0);
  const changeKey = (who, key) => who.page.evaluate((one) => (location.hash = `key=${encodeURIComponent(one)}`), key);

  test('Chromium and Firefox see and hear each other, and see that it is encrypted; the server learns no key', TIMEOUT, async () => {
    const firefox = await launchFirefox();
    cleanups.push(() => firefox.close());
    const ada = await person('Ada', 'secret');
    const grace = await person('Grace', 'secret');
    const fiona = await Person.open(await firefox.newPage(), 'Fiona', server.url, { room: 'secret', key: KEY });
    assert.ok(await ada.isVisible('#lobby-lock'), 'the lobby says so');
    for (const one of [ada, grace, fiona]) await one.join();
    await Promise.all([ada.sees('Grace'), ada.sees('Fiona'), grace.sees('Ada'), grace.sees('Fiona'), fiona.sees('Ada'), fiona.sees('Grace')]);
    await Promise.all([ada.receives(2), grace.receives(2), fiona.receives(2)]);
    for (const one of [ada, grace, fiona]) {
      assert.ok(await one.isVisible('#call-lock'), one.name);
      assert.deepEqual(one.complaints, [], one.name);
    }
    await ada.screenshot('encrypted');
    await ada.click('#toggle-screen');
    await Promise.all([grace.sees('Ada’s screen'), fiona.sees('Ada’s screen')]);
    assert.ok(!server.log().includes('horse'));
  });

  test('layers follow the tiles as ever, and sound goes up in RED', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'layers')).join();
    const grace = await (await person('Grace', 'layers')).join();
    const shows = (width) => until(`Grace gets a width of ${width}`, async () => (await tile(grace, 'Ada'))?.width === width, { explain: () => grace.tiles() });
    await grace.sees('Ada');
    await shows(960);
    await grace.page.setViewportSize({ width: 500, height: 420 });
    await shows(480);
    await grace.sees('Ada');
    await grace.page.setViewportSize({ width: 1280, height: 800 });
    await shows(960);
    await grace.sees('Ada');
    const sent = await ada.page.evaluate(async () => {
      const report = await window.testPeers.at(-1).getStats();
      return [...report.values()].filter(({ type, kind, packetsSent }) => type === 'outbound-rtp' && kind === 'audio' && packetsSent > 0).map(({ codecId }) => report.get(codecId).payloadType);
    });
    const offered = await ada.page.evaluate(() => window.testPeers.at(-1).localDescription.sdp.match(/a=rtpmap:(\d+) red\/48000/)?.[1]);
    assert.ok(sent.length === 1 && offered, `sent as ${sent}, RED is ${offered}`);
  });

  test('VP9 and FEC are encrypted as well, and AV1 becomes VP8', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'codecs', { more: '&codec=vp9&fec' })).join();
    const grace = await (await person('Grace', 'codecs', { more: '&codec=av1' })).join();
    await Promise.all([ada.sees('Grace'), grace.sees('Ada')]);
    await Promise.all([ada.receives(1), grace.receives(1)]);
    const codecs = (who) => who.page.evaluate(async () => {
      const report = await window.testPeers.at(-1).getStats();
      return [...new Set([...report.values()].filter(({ type, kind }) => type === 'inbound-rtp' && kind === 'video').map(({ codecId }) => report.get(codecId)?.mimeType).filter(Boolean))];
    });
    assert.deepEqual([await codecs(grace), await codecs(ada)], [['video/VP9'], ['video/VP8']]);
  });

  test('another key shows nobody and says why; with the right one everybody is there', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'differs')).join();
    const grace = await (await person('Grace', 'differs')).join();
    const eve = await (await person('Eve', 'differs', { key: 'guess' })).join();
    await Promise.all([ada.sees('Grace'), grace.sees('Ada')]);
    for (const [who, other] of [[eve, 'Ada'], [eve, 'Grace'], [ada, 'Eve'], [grace, 'Eve']]) await hasProblem(who, other, 'key_differs');
    assert.match((await tile(eve, 'Ada')).status, /the key differs/);
    assert.equal(await decoded(eve), 0, 'not one picture');
    assert.ok(!(await eve.tiles()).some(({ name, picture }) => name !== 'You' && picture));
    await eve.screenshot('key-differs');
    // Nobody pays for pictures that cannot be shown.
    await until('they are not sent either', () => eve.page.evaluate(() => window.sampanCall.views.filter(({ participant, quality }) => participant !== null && quality?.paused === 'hidden').length === 2));
    await Promise.all([ada.sees('Grace'), grace.sees('Ada')]);
    await changeKey(eve, KEY);
    await Promise.all([eve.sees('Ada'), eve.sees('Grace'), ada.sees('Eve'), grace.sees('Eve')]);
    await eve.receives(2);
    for (const one of [ada, grace, eve]) assert.deepEqual(one.complaints, [], one.name);
  });

  test('the key is changed in mid-call, one after the other', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'rotation')).join();
    const grace = await (await person('Grace', 'rotation')).join();
    await Promise.all([ada.sees('Grace'), grace.sees('Ada')]);
    await changeKey(ada, 'the next one');
    await hasProblem(grace, 'Ada', 'key_differs');
    await ada.sees('Grace'); // Who is late is still seen.
    await changeKey(grace, 'the next one');
    await Promise.all([ada.sees('Grace'), grace.sees('Ada')]);
    await Promise.all([ada.receives(1), grace.receives(1)]);
    const refused = await grace.page.evaluate(async () => {
      const code = (key) => window.sampanCall.setKey(key).then(() => 'taken', (error) => error.code);
      return [await code(''), await code(new Uint8Array(8)), await code(null)];
    });
    assert.deepEqual(refused, ['bad_key', 'bad_key', 'wrong_state']);
    await grace.sees('Ada');
  });

  test('a media path that is made anew is encrypted, too', TIMEOUT, async () => {
    const line = await wire(server.port);
    cleanups.push(() => line.close());
    const ada = await (await person('Ada', 'renewed')).join();
    const grace = await (await person('Grace', 'renewed', { url: line.url })).join();
    await Promise.all([ada.sees('Grace'), grace.sees('Ada')]);
    line.cut();
    await until('Grace is told', () => grace.isVisible('#call-state'));
    await grace.page.evaluate(() => {
      const lost = window.testPeers.at(-1);
      for (const state of ['connectionState', 'iceConnectionState']) Object.defineProperty(lost, state, { get: () => 'closed' });
    });
    line.mend();
    await until('Grace is back', async () => !(await grace.isVisible('#call-state')));
    assert.equal(await grace.page.evaluate(() => window.testPeers.length), 2);
    await Promise.all([ada.sees('Grace'), grace.sees('Ada'), ada.receives(1), grace.receives(1)]);
  });

  test('without a key there is nothing to see or hear, and who does not encrypt is not played', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'mixed')).join();
    const paula = await (await person('Paula', 'mixed', { key: undefined })).join();
    await hasProblem(paula, 'Ada', 'encrypted');
    await hasProblem(ada, 'Paula', 'not_encrypted');
    assert.ok(!(await paula.isVisible('#call-lock')));
    const playing = (who) => who.page.evaluate(() => window.sampanCall.views.filter(({ participant }) => participant !== null)
      .map(({ audio, video }) => [...audio.getTracks(), ...video.getTracks()].map(({ enabled }) => enabled)));
    for (const who of [ada, paula]) assert.deepEqual(await playing(who), [[false, false]], who.name);
    assert.equal(await decoded(ada), 0);
    assert.equal(await paula.page.evaluate(() => window.sampanCall.setKey('late').then(() => 'taken', (error) => error.code)), 'wrong_state');
    await paula.click('#leave');
    await changeKey(paula, KEY);
    await until('the lobby says that it is encrypted now', () => paula.isVisible('#lobby-lock'));
    await paula.join();
    await Promise.all([paula.sees('Ada'), ada.sees('Paula')]);
  });

  for (const [name, key] of [['encrypted', KEY], ['not encrypted', null]]) {
    test(`whoever forwards a call that is ${name} ${key ? 'sees nothing of it' : 'can look at it'}`, TIMEOUT, async () => {
      const room = key ? 'forwarded' : 'in-clear';
      const stage = await blank();
      await stage.goto(server.url);
      await stage.evaluate(installStage);
      await stage.evaluate((what) => window.startPerformer(what), { room, name: 'Ada', hue: HUES[2], key });
      const player = await blank();
      await player.goto(server.url);
      await player.evaluate(installPlayer, { room });
      const hues = [];
      await until('a hundred packets of pictures have come', async () => {
        const seen = await player.evaluate(() => window.look());
        if (seen.hue !== null) hues.push(seen.hue);
        return seen.packets > 100 && (key !== null || hues.length > 5);
      }, { explain: () => player.evaluate(() => window.look()) });
      const ours = hues.filter((hue) => Math.abs(hue - HUES[2]) < 25);
      if (key) assert.deepEqual(ours, [], 'the colour is not seen');
      else assert.ok(ours.length > 5, 'the colour is seen');
    });
  }

  test('the native participant, who has no key, is forwarded what it cannot decode', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'native')).join();
    const bot = startBot(['join', '--server', server.url, '--room', 'native', '--name', 'Bot', '--json']);
    cleanups.push(() => bot.stop('SIGKILL'));
    await hasProblem(ada, 'Bot', 'not_encrypted');
    await until('Ada sends pictures', async () => Object.values((await ada.stats()).sent).some(({ frames }) => frames > 40));
    bot.stop('SIGINT');
    const { code, output, log } = await bot.finished;
    assert.equal(code, 0, log);
    const [received] = JSON.parse(output).received;
    assert.ok(received.audio.packets > 50 && received.video.frames > 20, output);
  });
});
