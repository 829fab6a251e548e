/** What people are told, and what the page does, when something is not as it should be. */

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { launchChromium } from '../lib/browsers.js';
import { Person, until } from '../lib/person.js';
import { startServer } from '../lib/server.js';

const TIMEOUT = { timeout: 180_000 };

describe('trouble', () => {
  let browser;
  /** @type {(() => Promise<unknown>)[]} */
  let cleanups = [];

  before(async () => {
    browser = await launchChromium();
  }, TIMEOUT);
  after(() => browser?.close());
  afterEach(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
    cleanups = [];
  });

  const server = async (options) => {
    const started = await startServer(options);
    cleanups.push(() => started.stop());
    return started;
  };
  /** A page in a profile of its own. */
  const page = async (options) => {
    const context = await browser.newContext(options);
    cleanups.push(() => context.close());
    return context.newPage();
  };

  test('a server that is restarted is joined again by itself, with everybody', TIMEOUT, async () => {
    const first = await startServer();
    const [ada, grace] = [await Person.open(await page(), 'Ada', first.url), await Person.open(await page(), 'Grace', first.url)];
    for (const one of [ada, grace]) await one.join();
    await Promise.all([ada.sees('Grace'), grace.sees('Ada')]);
    await first.stop('SIGKILL');
    for (const one of [ada, grace]) await until(`${one.name} is told`, () => one.isVisible('#call-notice'));
    assert.match(await ada.text('#call-notice'), /connection to the server was lost/);
    await ada.screenshot('server-gone');
    await server({ http: `127.0.0.1:${first.port}` });
    await Promise.all([ada.sees('Grace'), grace.sees('Ada')]);
    await Promise.all([ada.receives(1), grace.receives(1)]);
    for (const one of [ada, grace]) assert.ok(!(await one.isVisible('#call-notice')), `${one.name}’s notice is gone`);
  });

  test('a server that is not there is told in the lobby, and found when it comes', TIMEOUT, async () => {
    const first = await startServer();
    const ada = await Person.open(await page(), 'Ada', first.url);
    await ada.page.waitForSelector('#reach[data-reachable="true"]');
    await first.stop();
    await ada.page.waitForSelector('#reach[data-reachable="false"]');
    await ada.click('#join');
    await until('Ada is told', () => ada.isVisible('#join-error'));
    assert.match(await ada.text('#join-error'), /server cannot be reached/);
    await ada.screenshot('server-not-there');
    await server({ http: `127.0.0.1:${first.port}` });
    await ada.join();
  });

  test('a camera that is refused is replaced by a generated picture, and the page says so', TIMEOUT, async () => {
    const { url } = await server();
    const refused = await page();
    // Headless Chromium leaves the question open for ever; this is the answer of a person.
    await refused.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('Permission denied', 'NotAllowedError'));
    });
    const ada = await Person.open(refused, 'Ada', url);
    await until('Ada is told', () => ada.isVisible('#lobby-notice'));
    assert.match(await ada.text('#lobby-notice'), /refused.*generated picture and tone/);
    await ada.screenshot('camera-refused');
    const grace = await Person.open(await page(), 'Grace', url);
    await ada.join();
    await grace.join();
    await Promise.all([grace.sees('Ada'), ada.sees('Grace')]);
    await Promise.all([grace.receives(1), ada.receives(1)]);
  });

  test('the second tab of a browser starts with its speaker off, and says why', TIMEOUT, async () => {
    const { url } = await server();
    const firstPage = await page();
    const first = await (await Person.open(firstPage, 'First', url)).join();
    const second = await (await Person.open(await firstPage.context().newPage(), 'Second', url)).join();
    assert.equal(await first.isVisible('#speaker-notice'), false);
    assert.ok(await second.isVisible('#speaker-notice'));
    assert.match(await second.text('#speaker-why'), /another tab/);
    await second.sees('First');
    const silent = () => second.page.evaluate(() => [...document.querySelectorAll('audio')].map((one) => one.muted));
    assert.deepEqual(await silent(), [true]);
    await second.screenshot('second-tab');
    await second.click('#speaker-on');
    assert.deepEqual(await silent(), [false]);
    assert.equal(await second.isVisible('#speaker-notice'), false);
  });

  test('plain HTTP from another host than localhost: the page names the remedy, and a call works', TIMEOUT, async () => {
    const { port } = await server({ http: '0.0.0.0:0', flags: ['--open'] });
    const elsewhere = await launchChromium({ flags: ['--host-resolver-rules=MAP sampan.test 127.0.0.1'] });
    cleanups.push(() => elsewhere.close());
    const ada = await Person.open(await elsewhere.newPage(), 'Ada', `http://sampan.test:${port}`);
    await until('Ada is told', () => ada.isVisible('#lobby-notice'));
    assert.match(await ada.text('#lobby-notice'), /plain HTTP.*--tls self-signed/);
    await ada.screenshot('plain-http');
    const grace = await Person.open(await page(), 'Grace', `http://127.0.0.1:${port}`);
    await ada.join();
    await grace.join();
    await Promise.all([grace.sees('Ada'), ada.sees('Grace')]);
  });

  test('a page over HTTPS with a certificate of our own calls like any other', TIMEOUT, async () => {
    const { url } = await server({ flags: ['--tls', 'self-signed'] });
    assert.match(url, /^https:/);
    const open = async (name) => Person.open(await page({ ignoreHTTPSErrors: true }), name, url);
    const [ada, grace] = [await open('Ada'), await open('Grace')];
    for (const one of [ada, grace]) await one.join();
    await Promise.all([ada.sees('Grace'), grace.sees('Ada')]);
    await Promise.all([ada.receives(1), grace.receives(1)]);
  });

  for (const [flags, cipher] of [[[], 'SRTP_AEAD_AES_256_GCM'], [['--aes-cm'], 'SRTP_AES128_CM_HMAC_SHA1_80']]) {
    test(`a call is encrypted with ${cipher} ${flags.length > 0 ? `under ${flags}` : 'unless a flag allows other ciphers'}`, TIMEOUT, async () => {
      const { url } = await server({ flags });
      const ada = await (await Person.open(await page(), 'Ada', url)).join();
      const grace = await (await Person.open(await page(), 'Grace', url)).join();
      await Promise.all([ada.receives(1), grace.receives(1)]);
      assert.equal(await ada.page.evaluate(async () => {
        const report = await window.testPeers.at(-1).getStats();
        return [...report.values()].find((entry) => entry.type === 'transport').srtpCipher;
      }), cipher);
    });
  }

  test('a browser without WebRTC is told so before any click', TIMEOUT, async () => {
    const { url } = await server();
    const old = await page();
    const ada = await Person.open(old, 'Ada', url);
    await old.addInitScript(() => delete window.RTCPeerConnection);
    await old.reload();
    await until('Ada is told', () => ada.isVisible('#join-error'));
    assert.match(await ada.text('#join-error'), /no WebRTC/);
    assert.ok(await old.evaluate(() => document.getElementById('join').disabled));
  });

  test('a room that is full is told in words', TIMEOUT, async () => {
    const { url } = await server({ flags: ['--max-participants', '1'] });
    await (await Person.open(await page(), 'Ada', url)).join();
    const grace = await Person.open(await page(), 'Grace', url);
    await grace.page.waitForSelector('#reach[data-reachable="true"]');
    await grace.click('#join');
    await until('Grace is told', () => grace.isVisible('#join-error'));
    assert.match(await grace.text('#join-error'), /room is full/);
    assert.ok(await grace.isVisible('#join'));
  });

  test('a name that is empty is asked for, where it is missing', TIMEOUT, async () => {
    const { url } = await server();
    const ada = await Person.open(await page(), ' ', url);
    await ada.click('#join');
    assert.match(await ada.text('#join-error'), /need a name/);
    assert.equal(await ada.page.evaluate(() => document.activeElement?.id), 'name');
  });

  test('a call can be made with the keyboard alone', TIMEOUT, async () => {
    const { url } = await server();
    const keys = await page();
    const person = await Person.open(keys, 'Ada', url);
    await keys.waitForSelector('#reach[data-reachable="true"]');
    await keys.focus('#name');
    await keys.keyboard.press('Enter');
    await until('Ada is in the call', () => person.isVisible('#call-title'));
    const visited = [];
    for (let i = 0; i < 10; i++) {
      await keys.keyboard.press('Tab');
      visited.push(await keys.evaluate(() => document.activeElement?.id || document.activeElement?.closest('.menu')?.className));
    }
    assert.deepEqual(visited, ['toggle-room-menu', 'menu tile-menu', 'toggle-microphone', 'toggle-camera', 'toggle-hand', 'toggle-chat', 'toggle-screen', 'toggle-speaker', 'toggle-quality', 'leave']);
    await keys.focus('#toggle-microphone');
    await keys.keyboard.press('Space');
    await until('the microphone is off', () => keys.evaluate(() => document.getElementById('toggle-microphone').getAttribute('aria-pressed') === 'false'));
    await keys.focus('#leave');
    await keys.keyboard.press('Enter');
    await until('Ada is back, at Join', () => keys.evaluate(() => document.activeElement?.id === 'join'));
  });
});
