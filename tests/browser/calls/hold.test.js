/** The lobby: the server is ready for whoever looks at it, so that a click needs nothing more. */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { launchChromium } from '../lib/browsers.js';
import { wire } from '../lib/cut.js';
import { Person, until } from '../lib/person.js';
import { startServer } from '../lib/server.js';

const TIMEOUT = { timeout: 120_000 };

describe('a place that is held', () => {
  let server, browser, line;
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
    await line.close();
  });

  beforeEach(async () => {
    line = await wire(server.port);
  });
  const person = async (name, room, url = server.url) => {
    const context = await browser.newContext();
    contexts.push(context);
    return Person.open(await context.newPage(), name, url, { room });
  };
  const held = async () => Number(/^sampan_held (\d+)$/m.exec(await (await fetch(`${server.url}/metrics`)).text())?.[1]);

  test('a click brings the pictures even if nothing that we say arrives any more', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'quiet')).join();
    const grace = await person('Grace', 'quiet', line.url);
    await until('the server is ready for her', async () => (await held()) === 1);
    assert.equal(await ada.text('#call-count'), 'Only you are here', 'nobody hears of who is in the lobby');
    line.mute();
    await grace.join();
    await Promise.all([grace.sees('Ada'), ada.sees('Grace')]);
    assert.equal(await held(), 0);
    assert.deepEqual(grace.complaints, []);
  });

  test('the media path is up in the lobby, and nobody is seen or heard on it', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'silent')).join();
    const grace = await person('Grace', 'silent');
    const path = () => grace.page.evaluate(async () => {
      const peer = window.testPeers.at(-1);
      const rtp = [...(await peer.getStats()).values()].filter((entry) => entry.type === 'outbound-rtp');
      return { state: peer.connectionState, packets: rtp.reduce((all, entry) => all + entry.packetsSent, 0) };
    });
    await until('the path is up', async () => (await path()).state === 'connected', { explain: path });
    // Devices come and go in the lobby, and are nobody's business either.
    await grace.click('#preview-camera');
    await grace.click('#preview-camera');
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    assert.equal((await path()).packets, 0);
    assert.equal(await held(), 1);
    assert.equal(await ada.text('#call-count'), 'Only you are here');
    await grace.join();
    await Promise.all([grace.sees('Ada'), ada.sees('Grace')]);
    assert.equal(await grace.page.evaluate(() => window.testPeers.filter((one) => one.connectionState !== 'closed').length), 1, 'it was of use');
    assert.deepEqual(grace.complaints, []);
  });

  test('whoever only listens is let in by silence, and sends nothing once they are', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'listeners')).join();
    const { page } = await person('Grace', 'elsewhere', line.url);
    await page.evaluate(async (url) => {
      const { Call } = await import('/sdk/index.js');
      window.quiet = new Call({ url });
      window.quiet.prepare({ room: 'listeners', name: 'Quiet' });
    }, `${line.url.replace('http', 'ws')}/ws`);
    await until('the path is up', () => page.evaluate(() => window.testPeers.at(-1)?.connectionState === 'connected'));
    line.mute();
    await page.click('#name'); // A browser plays for nobody who has not touched the page.
    await page.evaluate(() => void window.quiet.join({ room: 'listeners', name: 'Quiet' }));
    await until('Ada is told', async () => (await ada.tiles()).some(({ name }) => name === 'Quiet'));
    await until('she is in', () => page.evaluate(() => window.quiet.state === 'joined'));
    const sends = () => page.evaluate(() => window.testPeers.at(-1).getSenders().filter(({ track }) => track !== null).length);
    await until('nothing is sent', async () => (await sends()) === 0);
  });

  test('two who look at the lobby of an empty room: the second is ready once the first is in', TIMEOUT, async () => {
    const [ada, grace] = [await person('Ada', 'early'), await person('Grace', 'early', line.url)];
    const path = () => grace.page.evaluate(() => window.testPeers.at(-1)?.connectionState);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.equal(await path(), 'new');
    await ada.join();
    await until('the path is up', async () => (await path()) === 'connected', { explain: path });
    line.mute();
    await grace.join();
    await Promise.all([grace.sees('Ada'), ada.sees('Grace')]);
    assert.deepEqual(grace.complaints, []);
  });

  test('a name is asked for while it is typed, not when the click leaves its field', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'typed')).join();
    const grace = await person('Grace', 'typed', line.url);
    await until('the server is ready for her', async () => (await held()) === 1);
    await grace.page.fill('#name', 'Hopper');
    const path = () => grace.page.evaluate(() => window.testPeers.map((one) => one.connectionState));
    await until('it is ready under the other name', async () => /^(closed,)+connected$/.test((await path()).join()), { explain: path });
    line.mute();
    await grace.join();
    await Promise.all([grace.sees('Ada'), ada.sees('Hopper')]);
    assert.deepEqual(grace.complaints, []);
  });

  test('a connection that is stuck in the lobby is not waited for', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'stuck')).join();
    line.stall(2); // One of them is for being called.
    const grace = await person('Grace', 'stuck', line.url);
    await until('the server is ready for her, over another connection', async () => (await held()) === 1);
    await grace.join();
    await Promise.all([grace.sees('Ada'), ada.sees('Grace')]);
    assert.deepEqual(grace.complaints, []);
  });

  test('whoever takes another name in the lobby is seen under it', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'names')).join();
    const grace = await person('Grace', 'names');
    await until('the server is ready for her', async () => (await held()) === 1);
    await grace.page.fill('#name', 'Hopper');
    await grace.join();
    await ada.sees('Hopper');
    await until('nothing is left', async () => (await held()) === 0);
    assert.deepEqual(grace.complaints, []);
  });

  test('a room that ended while somebody was in the lobby is entered all the same', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'anew')).join();
    const grace = await person('Grace', 'anew');
    await until('the server is ready for her', async () => (await held()) === 1);
    await ada.click('#leave');
    await until('Ada has left', async () => /^sampan_rooms 0$/m.test(await (await fetch(`${server.url}/metrics`)).text()));
    const hedy = await (await person('Hedy', 'anew')).join();
    await grace.join();
    await Promise.all([grace.sees('Hedy'), hedy.sees('Grace')]);
    assert.deepEqual(grace.complaints, []);
  });

  test('a server that was killed while somebody is in the lobby is found again', TIMEOUT, async () => {
    const own = await startServer();
    const [url, count] = [own.url, async () => Number(/^sampan_held (\d+)$/m.exec(await (await fetch(`${own.url}/metrics`)).text())?.[1])];
    const ada = await (await person('Ada', 'killed', url)).join();
    const grace = await person('Grace', 'killed', url);
    await until('the server is ready for her', async () => (await count()) === 1);
    await own.stop('SIGKILL');
    const again = await startServer({ http: new URL(url).host });
    try {
      await until('the lobby has found it', () => grace.page.evaluate(() => document.getElementById('reach').dataset.reachable === 'true'));
      await grace.join();
      await Promise.all([grace.sees('Ada'), ada.sees('Grace')]);
      await grace.click('#leave');
      await until('it is ready for whoever has left', async () => (await count()) === 1);
      await grace.page.close();
      await until('nothing is left of a page that is closed', async () => (await count()) === 0);
    } finally {
      await again.stop();
    }
  });
});
