/** Chromium in a call with what is not Chromium: Firefox, and the native participant. */

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { launchChromium, launchFirefox } from '../lib/browsers.js';
import { Person } from '../lib/person.js';
import { startBot, startServer } from '../lib/server.js';

const TIMEOUT = { timeout: 180_000 };

describe('other ends', () => {
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

  const inChromium = async (name, room) => {
    const context = await browser.newContext();
    cleanups.push(() => context.close());
    return Person.open(await context.newPage(), name, server.url, { room });
  };

  test('Firefox and Chromium see and hear each other', TIMEOUT, async () => {
    const firefox = await launchFirefox();
    cleanups.push(() => firefox.close());
    const fiona = await (await Person.open(await firefox.newPage(), 'Fiona', server.url, { room: 'mixed' })).join();
    const charlie = await (await inChromium('Charlie', 'mixed')).join();
    await Promise.all([fiona.sees('Charlie'), charlie.sees('Fiona')]);
    await Promise.all([fiona.receives(1), charlie.receives(1)]);
    await Promise.all([fiona.screenshot('firefox'), charlie.screenshot('chromium-with-firefox')]);
    const cut = await fiona.page.evaluate(() => document.getElementById('grid').scrollHeight - document.getElementById('grid').clientHeight);
    assert.ok(cut <= 0, `${cut} px of the tiles are cut off`);
    await charlie.click('#toggle-screen');
    await fiona.sees('Charlie’s screen');
    await charlie.click('#leave');
    await fiona.seesNot('Charlie');
  });

  for (const engine of ['own', 'webrtc']) {
    test(`the native participant (engine ${engine}) and a browser receive each other`, TIMEOUT, async () => {
      const room = `native-${engine}`;
      const ada = await (await inChromium('Ada', room)).join();
      const bot = startBot(['join', '--server', server.url, '--room', room, '--name', 'Bot', '--json', '--engine', engine]);
      cleanups.push(() => bot.stop('SIGKILL'));
      bot.finished.then(({ code, log }) => code === 0 || console.error(`the bot ended with ${code}:\n${log}`));
      await ada.sees('Bot');
      await ada.receives(1);
      await ada.receives(1);
      await ada.screenshot(`native-${engine}`);
      bot.stop('SIGINT');
      const { code, output, log } = await bot.finished;
      assert.equal(code, 0, log);
      const [received] = JSON.parse(output).received;
      assert.equal(received.name, 'Ada');
      assert.ok(received.audio.packets > 50 && received.video.frames > 20, output);
      await ada.seesNot('Bot');
    });
  }
});
