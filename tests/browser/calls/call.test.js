/** A call of people in Chromium, as they see and hear it. */

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { launchChromium } from '../lib/browsers.js';
import { Person, until } from '../lib/person.js';
import { startServer } from '../lib/server.js';
import { HUES, installStage } from '../lib/witness.js';

const TIMEOUT = { timeout: 180_000 };

describe('a call in Chromium', () => {
  let server, browser;
  /** @type {any[]} */
  let contexts = [];

  before(async () => {
    server = await startServer();
    browser = await launchChromium();
  }, TIMEOUT);
  after(async () => {
    await browser?.close();
    await server?.stop();
  });
  afterEach(async () => {
    for (const context of contexts) await context.close();
    contexts = [];
  });

  /** Each in a profile of their own, as on machines of their own. */
  const person = async (name, room, more = '') => {
    const context = await browser.newContext();
    contexts.push(context);
    return Person.open(await context.newPage(), name, server.url, { room, more });
  };

  test('two see and hear each other, a third sees and hears both at once, and who leaves is gone', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'trio')).join();
    assert.equal(await ada.text('#call-count'), 'Only you are here');
    const grace = await (await person('Grace', 'trio')).join();
    await Promise.all([ada.sees('Grace'), grace.sees('Ada')]);
    await Promise.all([ada.receives(1), grace.receives(1)]);
    await ada.screenshot('two-people');

    const hedy = await (await person('Hedy', 'trio')).join();
    await Promise.all([hedy.sees('Ada'), hedy.sees('Grace'), ada.sees('Hedy'), grace.sees('Hedy')]);
    await Promise.all([hedy.receives(2), ada.receives(2), grace.receives(2)]);
    assert.equal(await hedy.text('#call-count'), '3 people');
    await hedy.screenshot('three-people');

    await grace.click('#leave');
    await Promise.all([ada.seesNot('Grace'), hedy.seesNot('Grace')]);
    assert.ok(await grace.isVisible('#join'), 'whoever left is back at the lobby');
    await Promise.all([ada.receives(1), hedy.receives(1)]);
    for (const one of [ada, grace, hedy]) assert.deepEqual(one.complaints, [], one.name);
  });

  test('a join and its answer are compressed into a few TCP segments', TIMEOUT, async () => {
    const context = await browser.newContext();
    contexts.push(context);
    const page = await context.newPage();
    const frames = { framesent: [], framereceived: [] };
    page.on('websocket', (socket) => {
      for (const [way, seen] of Object.entries(frames)) socket.on(way, ({ payload }) => seen.push(payload));
    });
    const ada = await (await Person.open(page, 'Ada', server.url, { room: 'small' })).join();
    for (const [way, seen] of Object.entries(frames)) {
      const long = seen.filter((payload) => typeof payload !== 'string' && payload.length > 0);
      const sizes = seen.map((payload) => `${typeof payload === 'string' ? 'text' : 'deflated'} ${payload.length}`).join(', ');
      assert.ok(long.length > 0 && long.every((payload) => payload.length < 3 * 1400), `${way}: ${sizes}`);
      assert.ok(seen.every((payload) => typeof payload !== 'string' || payload.length <= 1024), `${way}: ${sizes}`);
    }
    assert.deepEqual(ada.complaints, []);
  });

  for (const codec of ['vp9', 'av1']) {
    test(`a camera that is sent as ${codec.toUpperCase()} is seen in every size`, TIMEOUT, async () => {
      await (await person('Ada', codec, `&codec=${codec}`)).join();
      const grace = await (await person('Grace', codec)).join();
      await grace.page.setViewportSize({ width: 1280, height: 800 });
      await grace.sees('Ada');
      const width = async () => (await grace.tiles()).find(({ name }) => name === 'Ada').width;
      await until('the largest is shown', async () => (await width()) === 960, { explain: width });
      await grace.page.setViewportSize({ width: 500, height: 420 });
      await until('a smaller one is shown', async () => (await width()) < 960, { explain: width });
      await grace.sees('Ada');
    });
  }

  test('Join is within reach in windows of every size', TIMEOUT, async () => {
    const { page } = await person('Ada', 'sizes');
    for (const [width, height] of [[320, 480], [390, 844], [520, 400], [844, 390], [1280, 720]]) {
      await page.setViewportSize({ width, height });
      const reached = await page.evaluate(() => {
        const join = document.querySelector('#join');
        join.scrollIntoView({ block: 'center' });
        const { x, y, width: across, height: down } = join.getBoundingClientRect();
        return join.contains(document.elementFromPoint(x + across / 2, y + down / 2));
      });
      assert.ok(reached, `something covers it at ${width}x${height}`);
    }
  });

  test('the quality panel tells the stages of connecting and how well it goes', TIMEOUT, async () => {
    await (await person('Ada', 'quality')).join();
    const grace = await (await person('Grace', 'quality')).join();
    await grace.sees('Ada');
    await grace.click('#toggle-quality');
    const stage = (name) => grace.text(`.stages [data-stage="${name}"] .value`);
    for (const name of ['signaling', 'ice', 'dtls', 'first_packet', 'first_audio', 'first_frame']) {
      await until(`the stage ${name} is told`, async () => /^[\d.]+ ms$/.test(await stage(name)), { explain: () => grace.text('.stages') });
    }
    const ms = await Promise.all(['signaling', 'dtls', 'first_frame'].map(async (name) => parseFloat(await stage(name))));
    assert.deepEqual(ms, [...ms].sort((a, b) => a - b), 'stages come in their order');
    const panel = (pattern) => until(`the panel tells ${pattern}`, async () => pattern.test(await grace.text('#quality')), { explain: () => grace.text('#quality') });
    await panel(/Ada\d+p · \d+/);
    await panel(/Round trip[\d.]+ ms/);
    await panel(/Path(udp|tcp) /);
    // Those that Ada's tile needs, and whatever was on before that was known.
    await panel(/Layers sent(240×135|480×270|960×540)/);
    await grace.screenshot('quality');
  });

  test('a microphone that is off is silent and said to be off', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'mute')).join();
    const grace = await (await person('Grace', 'mute')).join();
    await grace.receives(1);
    await ada.click('#toggle-microphone');
    const tile = async () => (await grace.tiles()).find((one) => one.name === 'Ada');
    await until('Grace is told', async () => (await tile()).muted);
    await until('nothing is heard for a second', async () => {
      const before = await sound(grace);
      await until('a second of sound has been played', async () => (await sound(grace)).samples > before.samples + 48_000);
      return (await sound(grace)).energy - before.energy < 1e-6;
    });
    assert.ok((await tile()).picture, 'the picture goes on');
    await ada.click('#toggle-microphone');
    await until('Grace is told that it is on', async () => !(await tile()).muted);
    await grace.receives(1);
  });

  test('a camera that is off leaves no picture behind, and comes back', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'camera')).join();
    const grace = await (await person('Grace', 'camera')).join();
    await grace.sees('Ada');
    await ada.click('#toggle-camera');
    await until('the picture is gone', async () => !(await grace.tiles()).find((one) => one.name === 'Ada').picture);
    await grace.receives(0, 1);
    await grace.screenshot('camera-off');
    await ada.click('#toggle-camera');
    await grace.sees('Ada');
  });

  test('a screen is shared beside the camera, without a new line for it, and taken back', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'screen')).join();
    const grace = await (await person('Grace', 'screen')).join();
    await grace.sees('Ada');
    const description = () => ada.page.evaluate(() => window.testPeers.at(-1).currentLocalDescription.sdp);
    const lines = async () => (await description()).match(/^m=(audio|video)/gm).length;
    const origin = async () => (await description()).split('\n')[1];
    const before = await lines();
    await ada.click('#toggle-screen');
    const screen = await grace.sees('Ada’s screen');
    assert.match(screen.key, /\/screen$/);
    await grace.sees('Ada');
    await grace.receives(2, 1);
    assert.equal(await lines(), before, 'its lines are there since the join');
    // The data channels for pointing at it, once in a call.
    await until('there are data channels', async () => /^m=application/m.test(await description()));
    const offered = await origin();
    await grace.screenshot('screen-shared');
    await ada.click('#toggle-screen');
    await grace.seesNot('Ada’s screen');
    await grace.sees('Ada');
    await ada.click('#toggle-screen');
    await grace.sees('Ada’s screen');
    assert.equal(await origin(), offered, 'nothing is offered anew');
  });

  test('more people than there were slots: more are offered in time', TIMEOUT, async () => {
    const watcher = await (await person('Watcher', 'many')).join();
    // One page plays all the others, small and slowly: what is tested is the slots, not the machine.
    const context = await browser.newContext();
    contexts.push(context);
    const stage = await context.newPage();
    await stage.goto(server.url);
    await stage.evaluate(installStage);
    for (const [index, name] of ['One', 'Two', 'Three', 'Four', 'Five'].entries()) {
      await stage.evaluate((what) => window.startPerformer(what), { room: 'many', name, hue: HUES[index], width: 320, fps: 5 });
      await watcher.sees(name);
    }
    await until('all are seen at once', async () => (await watcher.tiles()).filter((tile) => tile.picture).length === 6, { explain: () => watcher.tiles() });
    await watcher.screenshot('six-people');
  });
});

/** What has been played of the one other person. */
const sound = async (person) => Object.values((await person.stats()).audio).reduce((a, b) => (a.samples > b.samples ? a : b));
