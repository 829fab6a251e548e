/** A camera that is sent as one stream with three sizes inside each other (SVC): what each viewer gets of it, and decodes. */

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { launchChromium, launchFirefox } from '../lib/browsers.js';
import { startProxy, startServer } from '../lib/server.js';
import { until } from '../lib/person.js';
import { installScene } from '../lib/scene.js';

const TIMEOUT = { timeout: 180_000 };
/** A picture that stands for longer is a freeze that people notice. */
const STILL_MS = 1000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const grew = (before, after, name) => after[name] - before[name];
const kbps = (before, after, name) => (8 * grew(before, after, name)) / grew(before, after, 'at_ms');

describe('sizes inside one stream', () => {
  let server, browser, stage, seats;

  const scene = async (page) => {
    await page.goto(server.url);
    await page.evaluate(installScene);
    return page;
  };
  before(async () => {
    server = await startServer();
    browser = await launchChromium();
    const options = { viewport: { width: 1280, height: 800 } };
    [stage, seats] = await Promise.all([1, 2].map(async () => scene(await (await browser.newContext(options)).newPage())));
  }, TIMEOUT);
  after(async () => {
    await browser?.close();
    await server?.stop();
  });
  afterEach(async () => {
    for (const page of [stage, seats]) await page.evaluate(() => window.leave());
  });

  const publish = (room, codec) => stage.evaluate((what) => window.publish(what), { room, name: 'Ada', codec });
  const sent = () => stage.evaluate(() => window.sent('Ada'));
  const watch = (room, name, width, { page = seats, proxy } = {}) => page.evaluate((what) => window.watch(what), { room, name, width, proxy });
  const show = (name, width, page = seats) => page.evaluate(([who, to]) => window.show(who, to), [name, width]);
  const figures = (name, page = seats) => page.evaluate((who) => window.figures(who), name);
  /** The width of the picture as it is decoded. The longest time that a picture stood until then. */
  const shows = async (name, width, page = seats) => {
    let still_ms = 0;
    await until(`${name} gets a width of ${width}`, async () => {
      const now = await figures(name, page);
      still_ms = Math.max(still_ms, now.gap_ms);
      return now.frameWidth === width;
    }, { explain: async () => [await figures(name, page), await sent()] });
    return still_ms;
  };
  /** That width, and all three temporal layers of it. */
  const showsAll = async (name, width) => {
    await shows(name, width);
    await until(`${name} gets every frame`, async () => (await figures(name)).sent?.temporal === 2, { explain: () => figures(name) });
  };
  /** What each of them is sent and decodes within some seconds. */
  const during = async (seconds, names, page = seats) => {
    const all = () => Promise.all(names.map((name) => figures(name, page)));
    const before = await all();
    await sleep(seconds * 1000);
    const after = await all();
    return names.map((name, n) => {
      const [earlier, later] = [before[n], after[n]];
      const frames = (what) => grew(earlier, later, what);
      const seen = {
        name, kbps: Math.round(kbps(earlier, later, 'bytesReceived')), received: frames('framesReceived'), decoded: frames('framesDecoded'), dropped: frames('framesDropped'),
        temporal: later.sent?.temporal, width: later.frameWidth, still_ms: later.gap_ms, plis: frames('pliCount'), lost: later.packetsLost, freezes: later.freezeCount, keyframes: frames('keyFramesDecoded'),
      };
      console.log(JSON.stringify(seen));
      // A picture or two are on their way through the decoder.
      assert.ok(seen.decoded > seconds && seen.decoded + seen.dropped >= seen.received - 4, `${name} decodes what it is sent: ${JSON.stringify(seen)}`);
      if (seen.lost === 0) assert.equal(seen.plis, 0, `${name} never lacked a picture that others refer to`);
      return seen;
    });
  };
  /** What each is sent once nobody is sent fewer frames than the others, as a newcomer is at first. */
  const inAsManyFrames = (names) => until('every size comes in as many frames', async () => {
    const all = await during(2, names);
    return all.every(({ received }) => received > 0.6 * Math.max(...all.map((one) => one.received))) && all;
  });

  test('each tile is sent the size of a VP9 camera that fills it, and follows when it grows, shrinks and hides', TIMEOUT, async () => {
    await publish('vp9', 'vp9');
    await watch('vp9', 'Large', 960);
    await watch('vp9', 'Small', 240);
    await watch('vp9', 'Third', 480);
    await Promise.all([showsAll('Large', 960), showsAll('Small', 240), showsAll('Third', 480)]);
    const { codec, scalabilityMode } = await sent();
    assert.deepEqual([codec, scalabilityMode], ['video/VP9', 'L3T3_KEY']);
    const [large, small, third] = await inAsManyFrames(['Large', 'Small', 'Third']);
    assert.ok(small.kbps * 1.3 < third.kbps && small.kbps * 3 < large.kbps, 'a smaller size is cheaper');

    await show('Third', 960);
    assert.ok(await shows('Third', 960) < STILL_MS, 'the old size goes on until the keyframe');
    await show('Third', 240);
    assert.ok(await shows('Third', 240) < STILL_MS);
    await show('Third', 0);
    await until('nothing is sent to a tile out of sight', async () => (await figures('Third')).sent?.paused === 'hidden', { explain: () => figures('Third') });
    await sleep(300);
    const hidden = await figures('Third');
    await sleep(500);
    assert.equal((await figures('Third')).bytesReceived, hidden.bytesReceived);
    const from_ms = performance.now();
    await show('Third', 480);
    await until('it is seen again', async () => (await figures('Third')).framesDecoded > hidden.framesDecoded);
    console.log(`pictures were back after at most ${Math.round(performance.now() - from_ms)} ms`);
    await shows('Third', 480);

    const all = await sent();
    for (const one of await during(2, ['Large', 'Small', 'Third'])) assert.ok(one.still_ms < STILL_MS, JSON.stringify(one));
    const before = kbps(all, await sent(), 'bytesSent');
    await Promise.all([show('Large', 240), show('Third', 240)]);
    await until('Ada encodes the smallest alone', async () => (await sent()).scalabilityMode === 'L1T3' && (await sent()).frameWidth === 240, { explain: sent });
    const little = await sent();
    for (const one of await during(2, ['Large', 'Small', 'Third'])) assert.ok(one.still_ms < STILL_MS && one.width === 240, JSON.stringify(one));
    const rests = kbps(little, await sent(), 'bytesSent');
    console.log(`Ada sends ${Math.round(before)} kb/s in three sizes, ${Math.round(rests)} in one`);
    assert.ok(rests < 0.4 * before, 'what nobody watches is not sent');
    await show('Large', 960);
    assert.ok(await shows('Large', 960) < STILL_MS);
    assert.equal((await sent()).scalabilityMode, 'L3T3_KEY');
    assert.deepEqual((await during(1, ['Small', 'Third'])).map(({ width }) => width), [240, 240]);
  });

  test('each tile is sent the size of an AV1 camera that fills it', TIMEOUT, async (t) => {
    await publish('av1', 'av1');
    await watch('av1', 'Large', 480);
    await until('Ada sends', async () => (await sent()).codec);
    if ((await sent()).codec !== 'video/AV1') {
      console.error('THIS CHROMIUM DOES NOT ENCODE AV1, SO ITS SIZES ARE NOT TESTED');
      return t.skip('no AV1');
    }
    await watch('av1', 'Small', 240);
    await Promise.all([showsAll('Large', 480), showsAll('Small', 240)]);
    assert.equal((await sent()).scalabilityMode, 'L3T3_KEY');
    const [large, small] = await inAsManyFrames(['Large', 'Small']);
    assert.ok(small.kbps * 1.3 < large.kbps, JSON.stringify([large, small]));
    await show('Large', 240);
    assert.ok(await shows('Large', 240) < STILL_MS);
    await show('Large', 480);
    assert.ok(await shows('Large', 480) < STILL_MS);
    for (const one of await during(1, ['Large', 'Small'])) assert.ok(one.still_ms < STILL_MS, JSON.stringify(one));
  });

  test('a viewer on a narrow line gets less of it and goes on, another in Firefox all, and neither disturbs anybody', TIMEOUT, async () => {
    const [proxy, firefox] = await Promise.all([startProxy(server, ['--rate-kbps', '350', '--delay-ms', '20']), launchFirefox()]);
    try {
      const page = await firefox.newPage();
      await page.setViewport({ width: 1280, height: 800 });
      await scene(page);
      await publish('narrow', 'vp9');
      await watch('narrow', 'Large', 960);
      await watch('narrow', 'Fox', 960, { page });
      await watch('narrow', 'Narrow', 960, { proxy: proxy.port });
      await Promise.all([shows('Large', 960), shows('Fox', 960, page)]);
      await show('Fox', 240, page);
      assert.ok(await shows('Fox', 240, page) < STILL_MS);
      // Until the publisher's own estimate lets it send more than the line takes.
      await until('Ada sends more', async () => {
        const from = await sent();
        await sleep(500);
        return kbps(from, await sent(), 'bytesSent') > 700;
      });
      for (let n = 0; n < 2; n++) {
        const [[large, narrow], [fox]] = await Promise.all([during(2, ['Large', 'Narrow']), during(2, ['Fox'], page)]);
        assert.ok(narrow.width < 960 && narrow.kbps < 0.6 * large.kbps, JSON.stringify([large, narrow]));
        assert.ok(narrow.still_ms < 2 * STILL_MS, JSON.stringify(narrow));
        assert.ok(large.still_ms < STILL_MS && large.width === 960 && fox.still_ms < STILL_MS && fox.width === 240, JSON.stringify([large, fox]));
      }
    } finally {
      proxy.stop();
      await firefox.close();
    }
  });
});
