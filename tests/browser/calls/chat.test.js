/** What is written in a call: read by everybody once, across reloads, lost connections and a server that is killed. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { launchChromium } from '../lib/browsers.js';
import { wire } from '../lib/cut.js';
import { Person, until } from '../lib/person.js';
import { startServer } from '../lib/server.js';

const TIMEOUT = { timeout: 180_000 };

describe('chat', () => {
  let browser;
  /** @type {(() => Promise<unknown> | void)[]} */
  let cleanups = [];

  before(async () => {
    browser = await launchChromium();
  }, TIMEOUT);
  after(() => browser?.close());
  afterEach(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
    cleanups = [];
  });

  const person = async (name, url) => {
    const context = await browser.newContext();
    cleanups.push(() => context.close());
    return (await Person.open(await context.newPage(), name, url)).join();
  };
  const open = (one) => one.page.evaluate(() => document.getElementById('chat').hidden && document.getElementById('toggle-chat').click());
  const write = async (one, text) => {
    await open(one);
    await one.page.fill('#chat-text', text);
    await one.page.press('#chat-text', 'Enter');
  };
  /** What is stored, in the order it is shown. */
  const read = (one) => one.page.evaluate(() => [...document.querySelectorAll('#chat-list .said:not(.draft) p')].map((item) => item.textContent));
  const reads = (one, expected) => until(`${one.name} reads ${expected}`, async () => JSON.stringify(await read(one)) === JSON.stringify(expected), { explain: () => read(one) });

  test('everybody reads the same, a reload and a latecomer too, and a raised hand is seen', TIMEOUT, async () => {
    const server = await startServer();
    cleanups.push(() => server.stop());
    const [ada, grace] = [await person('Ada', server.url), await person('Grace', server.url)];
    await write(ada, 'one');
    await until('Grace sees that there is something', () => grace.isVisible('#chat-badge'));
    await write(grace, 'two');
    for (const one of [ada, grace]) await reads(one, ['one', 'two']);
    await ada.screenshot('chat');

    await grace.page.reload();
    await grace.join();
    await open(grace);
    await reads(grace, ['one', 'two']);
    const hedy = await person('Hedy', server.url);
    await open(hedy);
    await reads(hedy, ['one', 'two']);

    await hedy.click('#toggle-hand');
    const hand = () => ada.page.evaluate(() => [...document.querySelectorAll('.tile')].filter((tile) => !tile.querySelector('.tile-hand').hidden).map((tile) => tile.querySelector('.tile-name').textContent));
    await until('Ada sees the hand', async () => (await hand()).join() === 'Hedy', { explain: hand });
    await hedy.click('#toggle-hand');
    await until('and that it is down', async () => (await hand()).length === 0);
  });

  test('what is written while the connection is lost, or the server killed, is read once when it is back', TIMEOUT, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sampan-'));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const first = await startServer({ flags: ['--data', folder] });
    cleanups.push(() => first.stop());
    const line = await wire(first.port);
    cleanups.push(() => line.close());
    const [ada, grace] = [await person('Ada', line.url), await person('Grace', first.url)];
    await write(ada, 'one');
    await reads(grace, ['one']).catch(async () => open(grace).then(() => reads(grace, ['one'])));
    line.cut();
    await until('Ada is told', () => ada.isVisible('#call-state'));
    await write(ada, 'two, while away');
    await write(grace, 'three');
    assert.ok(await ada.isVisible('.said.draft'), 'it waits, and says so');
    line.mend();
    await reads(ada, ['one', 'three', 'two, while away']);
    await reads(grace, ['one', 'three', 'two, while away']);

    await first.stop('SIGKILL');
    await until('Grace is told', () => grace.isVisible('#call-state'));
    await write(grace, 'four, to nobody');
    const again = await startServer({ http: `127.0.0.1:${first.port}`, flags: ['--data', folder] });
    cleanups.push(() => again.stop());
    for (const one of [ada, grace]) await reads(one, ['one', 'three', 'two, while away', 'four, to nobody']);
  });
});
