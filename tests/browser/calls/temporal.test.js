/** A camera in VP8 as Chromium sends it by itself: three streams, whose temporal layers a dependency descriptor alone tells of. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launchChromium } from '../lib/browsers.js';
import { startProxy, startServer } from '../lib/server.js';
import { until } from '../lib/person.js';
import { installScene } from '../lib/scene.js';

const TIMEOUT = { timeout: 180_000 };
/** A picture that stands for longer is a freeze that people notice. */
const STILL_MS = 1000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

describe('fewer pictures of a VP8 camera', () => {
  let server, browser, stage, seats;

  before(async () => {
    server = await startServer();
    browser = await launchChromium();
    [stage, seats] = await Promise.all([1, 2].map(async () => {
      const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
      await page.goto(server.url);
      await page.evaluate(installScene);
      return page;
    }));
  }, TIMEOUT);
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const figures = (name) => seats.evaluate((who) => window.figures(who), name);
  const sent = () => stage.evaluate(() => window.sent('Ada'));
  const layer = async (name, width, temporal) => {
    const is = (now) => now.frameWidth === width && now.sent?.temporal === temporal;
    await until(`${name} gets temporal layer ${temporal} at a width of ${width}`, async () => is(await figures(name)), { explain: () => figures(name), limit_ms: 60_000 });
  };
  /** What both decode within some seconds. */
  const during = async (seconds) => {
    const all = () => Promise.all(['Large', 'Narrow'].map(figures));
    const before = await all();
    await sleep(seconds * 1000);
    const after = await all();
    return before.map((earlier, n) => {
      const grew = (what) => after[n][what] - earlier[what];
      const seen = { received: grew('framesReceived'), decoded: grew('framesDecoded'), dropped: grew('framesDropped'), plis: grew('pliCount'), keyframes: grew('keyFramesDecoded'), width: after[n].frameWidth, temporal: after[n].sent?.temporal, still_ms: after[n].gap_ms };
      console.log(JSON.stringify(seen));
      assert.ok(seen.decoded + seen.dropped >= seen.received - 4 && seen.plis === 0, `it decodes what it is sent: ${JSON.stringify(seen)}`);
      return seen;
    });
  };

  test('a viewer on a narrow line gets half of the pictures, decodes them, and gets all again when the line carries them', TIMEOUT, async () => {
    let proxy = await startProxy(server, ['--rate-kbps', '330', '--delay-ms', '20']);
    try {
      const { port } = proxy;
      await stage.evaluate((what) => window.publish(what), { room: 'vp8', name: 'Ada' });
      await seats.evaluate((what) => window.watch(what), { room: 'vp8', name: 'Large', width: 960 });
      await layer('Large', 960, 2);
      assert.equal((await sent()).codec, 'video/VP8');
      await seats.evaluate((what) => window.watch(what), { room: 'vp8', name: 'Narrow', width: 480, proxy: port });
      await layer('Narrow', 480, 1);
      const [large, narrow] = await during(4);
      assert.ok(narrow.still_ms < STILL_MS && narrow.temporal === 1, JSON.stringify(narrow));
      assert.ok(narrow.received < 0.7 * large.received && narrow.received > 0.35 * large.received, JSON.stringify([large, narrow]));
      proxy.stop();
      // The same address for her; for the server it moves.
      proxy = await startProxy(server, ['--listen', `127.0.0.1:${port}`, '--rate-kbps', '3000', '--delay-ms', '20']);
      await layer('Narrow', 480, 2);
      await until('she gets as many pictures as the other', async () => {
        const [all, wide] = await during(3);
        return wide.received > 0.8 * all.received;
      });
    } finally {
      proxy.stop();
    }
  });
});
