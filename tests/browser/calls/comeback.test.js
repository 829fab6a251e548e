/** Connections that are lost and come back, as people see it: nobody leaves, and sound and pictures go on where they can. */

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { launchChromium } from '../lib/browsers.js';
import { wire } from '../lib/cut.js';
import { Person, until } from '../lib/person.js';
import { startServer } from '../lib/server.js';

const TIMEOUT = { timeout: 180_000 };
/** From the moment the wire is whole again. The goal is 1 s; the machine of a test is busy. */
const RESUMED_WITHIN_MS = 3_000;
const MEDIA_WITHIN_MS = 6_000;

describe('coming back', () => {
  let server, browser;
  /** @type {(() => Promise<unknown>)[]} */
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

  /** Ada on a wire that can be cut, Grace beside her on a whole one. */
  const pair = async (room) => {
    const line = await wire(server.port);
    cleanups.push(() => line.close());
    const person = async (name, url) => {
      const context = await browser.newContext();
      cleanups.push(() => context.close());
      return (await Person.open(await context.newPage(), name, url, { room })).join();
    };
    const ada = await person('Ada', line.url);
    const grace = await person('Grace', server.url);
    await Promise.all([ada.sees('Grace'), grace.sees('Ada')]);
    // What Grace is told of people coming and going, from now on.
    await grace.page.evaluate(() => {
      window.told = [];
      new MutationObserver(() => window.told.push(document.getElementById('announcer').textContent))
        .observe(document.getElementById('announcer'), { childList: true, characterData: true, subtree: true });
    });
    return { line, ada, grace };
  };
  const reconnecting = (one) => one.isVisible('#call-state');
  const told = (one) => one.page.evaluate(() => window.told);
  const status = (one) => one.text('#grid .tile:not(.own) .tile-status');

  test('a WebSocket that is cut is resumed: nobody leaves, and pictures go on all the while', TIMEOUT, async () => {
    const { line, ada, grace } = await pair('cut');
    line.cut();
    await until('Ada is told', () => reconnecting(ada));
    await until('Grace is told that Ada is waited for', async () => /Connection lost/.test(await status(grace)));
    await Promise.all([ada.receives(1), grace.receives(1)]);
    assert.ok((await ada.tiles()).some((tile) => tile.name === 'Grace' && tile.picture), 'Ada’s page keeps its tiles');
    await until('what is wrong is explained when it lasts', () => ada.isVisible('#call-notice'));
    assert.match(await ada.text('#call-notice'), /Sound and pictures go on/);
    await ada.screenshot('reconnecting');
    line.mend();
    const since = performance.now();
    await until('Ada is back', async () => !(await reconnecting(ada)), { limit_ms: RESUMED_WITHIN_MS });
    console.log(`resumed ${Math.round(performance.now() - since)} ms after the wire was whole`);
    await until('Grace sees her back', async () => (await status(grace)) === '');
    assert.deepEqual(await told(grace), [], 'Grace heard of nobody leaving or coming');
    // And everything works again: a microphone that is switched off is told.
    await ada.click('#toggle-microphone');
    await until('Grace is told', async () => (await grace.tiles()).find((tile) => tile.name === 'Ada').muted);
    assert.equal(await ada.page.evaluate(() => window.testPeers.length), 1, 'with the same PeerConnection');
  });

  test('a connection that hangs without a word is noticed and resumed', TIMEOUT, async () => {
    const { line, ada, grace } = await pair('hang');
    line.hang();
    await until('Ada notices', () => reconnecting(ada));
    line.mend();
    await until('Ada is back', async () => !(await reconnecting(ada)), { limit_ms: RESUMED_WITHIN_MS });
    assert.deepEqual(await told(grace), []);
    await Promise.all([ada.receives(1), grace.receives(1)]);
  });

  test('a media path that is lost with the WebSocket is made anew, in the same place', TIMEOUT, async () => {
    const { line, ada, grace } = await pair('both');
    line.cut();
    await until('Ada is told', () => reconnecting(ada));
    // As after a phone has slept: no goodbye was sent, and the connection is of no use any more.
    await ada.page.evaluate(() => {
      const lost = window.testPeers.at(-1);
      for (const state of ['connectionState', 'iceConnectionState']) Object.defineProperty(lost, state, { get: () => 'closed' });
    });
    line.mend();
    const since = performance.now();
    await until('Ada is back', async () => !(await reconnecting(ada)), { limit_ms: RESUMED_WITHIN_MS });
    await Promise.all([ada.receives(1), grace.receives(1)]);
    const media_ms = performance.now() - since;
    console.log(`media again ${Math.round(media_ms)} ms after the wire was whole`);
    assert.ok(media_ms < MEDIA_WITHIN_MS + 3_000, `${media_ms} ms`);
    await Promise.all([ada.sees('Grace'), grace.sees('Ada')]);
    assert.deepEqual(await told(grace), [], 'Grace heard of nobody leaving or coming');
    assert.equal(await ada.page.evaluate(() => window.testPeers.length), 2);
  });

  test('whoever does not come back in time leaves, and joins again by itself later', TIMEOUT, async () => {
    const impatient = await startServer({ flags: ['--grace', '1'] });
    cleanups.push(() => impatient.stop());
    const line = await wire(impatient.port);
    cleanups.push(() => line.close());
    const context = await browser.newContext();
    cleanups.push(() => context.close());
    const ada = await (await Person.open(await context.newPage(), 'Ada', line.url)).join();
    const grace = await (await Person.open(await context.newPage(), 'Grace', impatient.url)).join();
    await grace.sees('Ada');
    line.cut();
    await grace.seesNot('Ada');
    line.mend();
    await grace.sees('Ada');
    await ada.sees('Grace');
  });
});
