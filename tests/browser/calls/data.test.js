/** Data channels between real browsers: bytes over the SDK, and a pointer over a shared screen in the page. */

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { launchChromium, launchFirefox } from '../lib/browsers.js';
import { Person, until } from '../lib/person.js';
import { startServer } from '../lib/server.js';

const TIMEOUT = { timeout: 180_000 };

describe('data channels', () => {
  let server, chromium, firefox;
  /** @type {(() => unknown)[]} */
  let cleanups = [];

  before(async () => {
    [server, chromium, firefox] = [await startServer(), await launchChromium(), await launchFirefox()];
  }, TIMEOUT);
  after(async () => {
    await Promise.all([chromium?.close(), firefox?.close()]);
    await server?.stop();
  });
  afterEach(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
    cleanups = [];
  });

  const open = async (browser, name, room) => {
    const page = await browser.newPage();
    cleanups.push(() => page.close());
    return Person.open(page, name, server.url, { room });
  };
  /** Participants with open channels, as the server counts them. */
  const openAtServer = async () => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    return Number(/^sampan_sfu_data_open (\d+)$/m.exec(metrics)?.[1]);
  };

  /** A call of its own beside the page's, without any element. @param {boolean} early the listener is there before the connection */
  const take = (person, room, early) => person.page.evaluate(async ([name, room, early]) => {
    const { Call } = await import('/sdk/index.js');
    const call = new Call({ url: `${location.origin.replace('http', 'ws')}/ws` });
    window.call = call;
    window.got = [];
    const listen = () => call.data.on('data', ({ participant, bytes, reliable }) => window.got.push([participant, new TextDecoder().decode(bytes.subarray(0, 20)), bytes.length, reliable]));
    if (early) listen();
    await call.join({ room, name });
    if (!early) listen();
    return call.self;
  }, [person.name, room, early]);
  const isOpen = (person) => until(`${person.name}’s channels open`, () => person.page.evaluate(() => window.call.data.isOpen));
  const got = (person, reliable) => person.page.evaluate((reliable) => window.got.filter((one) => one[3] === reliable).map((one) => one.slice(0, 3)), reliable);

  test('Chromium and Firefox hear each other, reliable in order, and whoever is named alone', TIMEOUT, async () => {
    const [charlie, fiona, cem] = [await open(chromium, 'Charlie', 'x'), await open(firefox, 'Fiona', 'x'), await open(chromium, 'Cem', 'x')];
    // One has channels from the first offer on, one gets them in the running call.
    const [c, f, m] = [await take(charlie, 'data', true), await take(fiona, 'data', false), await take(cem, 'data', false)];
    for (const one of [charlie, fiona, cem]) await isOpen(one);
    assert.equal(await openAtServer(), 3);

    const send = (person, from, count, length, options) => person.page.evaluate(async ([from, count, length, options]) => {
      for (let number = from; number < from + count; number++) {
        while (!window.call.data.send(String(number).padEnd(length, '.'), options)) await new Promise((resolve) => setTimeout(resolve, 20));
        if (!options.reliable) await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }, [from, count, length, options]);
    await Promise.all([send(charlie, 0, 40, 16_384, { reliable: true }), send(fiona, 100, 300, 20, { reliable: true })]);
    const expected = (who, from, count, length) => Array.from({ length: count }, (_, at) => [who, String(from + at).padEnd(20, '.'), length]);
    const hears = (person, from, count, length, who) => until(`${person.name} hears ${count} messages in order`, async () => {
      const of = (await got(person, true)).filter(([participant]) => participant === who);
      return JSON.stringify(of) === JSON.stringify(expected(who, from, count, length));
    }, { explain: async () => (await got(person, true)).slice(-3) });
    await hears(fiona, 0, 40, 16_384, c);
    await hears(cem, 0, 40, 16_384, c);
    await hears(charlie, 100, 300, 20, f);

    await send(fiona, 500, 100, 20, { reliable: false, to: [c] });
    await until('Charlie hears the lossy ones', async () => (await got(charlie, false)).length >= 95);
    assert.deepEqual(await got(cem, false), [], 'nobody else was named');
    assert.ok((await got(charlie, false)).every(([who, , length]) => who === f && length === 20));

    // What does not fit is said at once.
    const refused = await cem.page.evaluate(() => {
      try {
        return window.call.data.send(new Uint8Array(20_000));
      } catch (error) {
        return error.name;
      }
    });
    assert.equal(refused, 'RangeError');
    assert.equal(typeof m, 'string');
    for (const one of [charlie, fiona, cem]) await one.page.evaluate(() => window.call.leave());
    await until('they have gone', async () => (await openAtServer()) === 0);
  });

  test('who presses on a shared screen shows everybody where, and without a screen no channel is opened', TIMEOUT, async () => {
    const charlie = await (await open(chromium, 'Charlie', 'show')).join();
    const fiona = await (await open(firefox, 'Fiona', 'show')).join();
    await Promise.all([fiona.sees('Charlie'), charlie.sees('Fiona')]);
    assert.equal(await openAtServer(), 0, 'nobody has anything to point at');
    await charlie.click('#toggle-screen');
    await fiona.sees('Charlie’s screen');
    await until('both have channels', async () => (await openAtServer()) === 2, { explain: openAtServer });

    const place = (page) => page.evaluate(() => {
      const video = document.querySelector('.tile.screen video');
      const { left, top, width, height } = video.getBoundingClientRect();
      const scale = Math.min(width / video.videoWidth, height / video.videoHeight);
      return { left: left + (width - video.videoWidth * scale) / 2, top: top + (height - video.videoHeight * scale) / 2, width: video.videoWidth * scale, height: video.videoHeight * scale };
    });
    /** Where a person sees the pointer of another, as shares of the picture. */
    const pointer = async (person, name) => {
      const seen = await person.page.evaluate((name) => {
        const view = [...document.querySelectorAll('.tile.screen .pointer')].find((one) => one.textContent === name);
        const box = view?.getBoundingClientRect();
        return box ? { x: box.left, y: box.top } : null;
      }, name);
      if (!seen) return null;
      const box = await place(person.page);
      return [(seen.x - box.left) / box.width, (seen.y - box.top) / box.height];
    };
    const near = (at, x, y) => at !== null && Math.abs(at[0] - x) < 0.02 && Math.abs(at[1] - y) < 0.02;
    const box = await place(fiona.page);
    const { mouse } = fiona.page;
    await mouse.move(box.left + box.width * 0.25, box.top + box.height * 0.5);
    await mouse.down();
    await until('Charlie sees where Fiona points', async () => near(await pointer(charlie, 'Fiona'), 0.25, 0.5), { explain: () => pointer(charlie, 'Fiona') });
    await mouse.move(box.left + box.width * 0.75, box.top + box.height * 0.25, { steps: 10 });
    await until('the pointer follows', async () => near(await pointer(charlie, 'Fiona'), 0.75, 0.25), { explain: () => pointer(charlie, 'Fiona') });
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    assert.ok(near(await pointer(charlie, 'Fiona'), 0.75, 0.25), 'it stays while Fiona presses');
    assert.ok(near(await pointer(fiona, 'You'), 0.75, 0.25), 'and Fiona sees it herself');
    await Promise.all([charlie.screenshot('pointer'), fiona.screenshot('pointer-own')]);
    await mouse.up();
    await until('it goes away', async () => (await pointer(charlie, 'Fiona')) === null);
    await charlie.click('#leave');
    await fiona.seesNot('Charlie');
    assert.deepEqual([charlie.complaints, fiona.complaints], [[], []]);
  });
});
