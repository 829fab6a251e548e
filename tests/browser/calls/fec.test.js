/** FlexFEC with a real Chromium: it takes flexfec-03 as it is, and sends it behind a field trial. */

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { launchChromium } from '../lib/browsers.js';
import { startProxy, startServer } from '../lib/server.js';
import { until } from '../lib/person.js';
import { installScene } from '../lib/scene.js';

const TIMEOUT = { timeout: 180_000 };
const SENDS = '--force-fieldtrials=WebRTC-FlexFEC-03-Advertised/Enabled/WebRTC-FlexFEC-03/Enabled/';

describe('FlexFEC', () => {
  let server, browser, sender, stage, seats;

  const scene = async (from) => {
    const page = await (await from.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
    await page.goto(server.url);
    await page.evaluate(installScene);
    return page;
  };
  before(async () => {
    server = await startServer();
    [browser, sender] = await Promise.all([launchChromium(), launchChromium({ flags: [SENDS] })]);
    [stage, seats] = await Promise.all([scene(sender), scene(browser)]);
  }, TIMEOUT);
  after(async () => {
    await browser?.close();
    await sender?.close();
    await server?.stop();
  });
  afterEach(async () => {
    for (const page of [stage, seats]) await page.evaluate(() => window.leave());
  });

  const publish = (what) => stage.evaluate((one) => window.publish(one), { name: 'Ada', codec: 'vp8', ...what });
  const watch = (what) => seats.evaluate((one) => window.watch(one), { name: 'Grace', width: 640, ...what });
  const figures = () => seats.evaluate(() => window.figures('Grace'));
  const counted = async (name) => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    return Number(new RegExp(`^sampan_sfu_${name}_total\\S* (\\d+)$`, 'm').exec(metrics)?.[1] ?? Number.NaN);
  };

  test('a viewer behind a long and lossy way is sent it, and its pictures go on', TIMEOUT, async () => {
    const proxy = await startProxy(server, ['--delay-ms', '150', '--loss-percent', '15']);
    try {
      await publish({ room: 'down' });
      await watch({ room: 'down', proxy: proxy.port });
      // How many pictures a second a machine has time for that runs two browsers besides is another matter.
      await until('pictures and what protects them arrive', async () => {
        const { fecPacketsReceived, framesDecoded } = await figures();
        return fecPacketsReceived > 300 && framesDecoded > 100;
      }, { explain: figures, limit_ms: 90_000 });
      const { fecPacketsReceived, packetsLost, retransmittedPacketsReceived } = await figures();
      console.log(JSON.stringify({ fecPacketsReceived, packetsLost, retransmittedPacketsReceived }));
    } finally {
      proxy.stop();
    }
  });

  test('what a browser protects on its own comes back at the server', TIMEOUT, async () => {
    const proxy = await startProxy(server, ['--delay-ms', '60', '--loss-percent', '10']);
    try {
      await publish({ room: 'up', codec: 'vp9', fec: true, proxy: proxy.port });
      await watch({ room: 'up' });
      await until('packets come back', async () => (await counted('fec_recovered')) > 20, {
        explain: async () => [await counted('fec_received'), await counted('fec_recovered'), await figures()],
      });
      assert.ok((await figures()).framesDecoded > 30);
    } finally {
      proxy.stop();
    }
  });
});
