/** What a page shows decides what is sent: to it, and by the others. */

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { launchChromium } from '../lib/browsers.js';
import { Person, until } from '../lib/person.js';
import { startServer } from '../lib/server.js';

const TIMEOUT = { timeout: 180_000 };

describe('layers follow what is shown', () => {
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

  const person = async (name, room, viewport = { width: 1280, height: 800 }) => {
    const context = await browser.newContext({ viewport });
    contexts.push(context);
    return Person.open(await context.newPage(), name, server.url, { room });
  };
  const tile = async (who, name) => (await who.tiles()).find((one) => one.name === name);
  /** The width of the picture as it is decoded. */
  const shows = (who, name, width) => until(`${who.name} gets ${name} at a width of ${width}`, async () => (await tile(who, name))?.width === width, {
    explain: async () => [await who.tiles(), await who.text('#quality')],
  });
  /** Which encodings of the camera are active, lowest first. */
  const encodings = (who) => who.page.evaluate(() => {
    const peer = window.testPeers.at(-1);
    const camera = peer.getSenders().find((sender) => sender.getParameters().encodings.length > 1);
    return camera.getParameters().encodings.map((one) => one.active);
  });
  const encodes = (who, expected) => until(`${who.name} encodes ${expected}`, async () => String(await encodings(who)) === String(expected), { explain: () => encodings(who) });
  const quality = (who) => who.text('#quality');

  test('the layer follows the size of the tile, and publishers send what somebody watches', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'sizes')).join();
    const grace = await (await person('Grace', 'sizes')).join();
    const hedy = await (await person('Hedy', 'sizes')).join();
    await Promise.all([hedy.sees('Ada'), hedy.sees('Grace')]);
    await hedy.page.setViewportSize({ width: 1280, height: 800 });
    await Promise.all([shows(hedy, 'Ada', 960), shows(hedy, 'Grace', 960)]);
    // Everybody's tiles become small, and then only Ada's large again.
    for (const who of [ada, grace, hedy]) await who.page.setViewportSize({ width: 500, height: 420 });
    await Promise.all([shows(hedy, 'Ada', 240), shows(hedy, 'Grace', 240)]);
    await Promise.all([encodes(ada, [true, false, false]), encodes(grace, [true, false, false])]);
    await hedy.page.setViewportSize({ width: 1280, height: 800 });
    await hedy.page.focus('[aria-label="Pin Ada"]');
    await hedy.page.keyboard.press('Enter');
    await shows(hedy, 'Ada', 960);
    // Grace moves to the side, where the middle layer is as large as her tile; Ada's own small page shows her smallest.
    await shows(hedy, 'Grace', 480);
    await encodes(grace, [true, true, false]);
    await encodes(ada, [true, false, true]);
    assert.equal(await hedy.page.evaluate(() => document.activeElement?.getAttribute('aria-label')), 'Unpin Ada', 'the focus stays on the pin');
    await hedy.screenshot('pinned');
    await hedy.click('#toggle-quality');
    await until('the panel tells the layer and why', async () => /Ada.*960×540/.test(await quality(hedy)) && /the tile asks for it/.test(await quality(hedy)), { explain: () => quality(hedy) });
    assert.match(await quality(hedy), /Link carries[\d.]+ [kM]b\/s/);
    await hedy.screenshot('decisions');
    for (const one of [ada, grace, hedy]) assert.deepEqual(one.complaints, [], one.name);
  });

  test('a page that is not looked at is sent no pictures, and its publisher rests until somebody looks', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'hidden')).join();
    const grace = await (await person('Grace', 'hidden')).join();
    await Promise.all([grace.sees('Ada'), ada.sees('Grace')]);
    const hide = (who, hidden) => who.page.evaluate((state) => {
      Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden ? 'hidden' : 'visible');
    await hide(grace, true);
    await encodes(ada, [false, false, false]);
    const frames = async () => Object.values((await grace.stats()).video).reduce((sum, one) => sum + one.frames, 0);
    const before = await frames();
    await grace.receives(0, 1);
    assert.ok(await frames() <= before + 2, 'no pictures, and sound goes on');
    const asked_ms = await grace.page.evaluate(() => performance.now());
    await hide(grace, false);
    await until('pictures come again', async () => await frames() > before + 5);
    const waited_ms = await grace.page.evaluate(() => performance.now()) - asked_ms;
    console.log(`pictures were back after at most ${Math.round(waited_ms)} ms`);
    await shows(grace, 'Ada', 960);
    await grace.sees('Ada');
    for (const one of [ada, grace]) assert.deepEqual(one.complaints, [], one.name);
  });

  test('who is alone encodes nothing, and is seen as soon as somebody comes', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'alone')).join();
    await encodes(ada, [false, false, false]);
    const grace = await (await person('Grace', 'alone')).join();
    await grace.sees('Ada');
    assert.ok((await encodings(ada)).some(Boolean));
  });
});
