/** Tokens as people meet them: who is let in, who is not, and what happens when access is taken back in the call. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launchChromium } from '../lib/browsers.js';
import { Person, until } from '../lib/person.js';
import { serverBinary, startServer } from '../lib/server.js';

const TIMEOUT = { timeout: 180_000 };

describe('access', () => {
  let server, browser, secret;

  before(async () => {
    secret = join(mkdtempSync(join(tmpdir(), 'sampan-')), 'secret');
    writeFileSync(secret, '0123456789abcdef0123456789abcdef');
    server = await startServer({ flags: ['--token-secret-file', secret] });
    browser = await launchChromium();
  }, TIMEOUT);
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const token = (identity, ...flags) =>
    execFileSync(serverBinary(), ['token', '--secret-file', secret, '--room', 'test', '--identity', identity, ...flags], { encoding: 'utf8' }).trim();
  const person = async (name, access) => {
    const page = await (await browser.newContext()).newPage();
    return Person.open(page, name, server.url, { token: access });
  };

  test('without a token nobody is let in, and a moderator’s word is law at once', TIMEOUT, async () => {
    const nobody = await person('Nobody');
    await nobody.page.waitForSelector('#reach[data-reachable="true"]');
    await nobody.click('#join');
    await until('Nobody is told', () => nobody.isVisible('#join-error'));
    assert.match(await nobody.text('#join-error'), /not let into this room/);

    const ada = await (await person('Ada', token('ada', '--moderate'))).join();
    const grace = await (await person('Grace', token('grace'))).join();
    await Promise.all([ada.sees('Grace'), grace.sees('Ada')]);
    await ada.receives(1);
    const act = (action) => ada.page.evaluate((what) => window.sampanCall.moderate({ ...what, participant: window.sampanCall.participants[0].id }), action);

    await act({ do: 'grant', grants: { publish: ['microphone'], subscribe: true, data: true, moderate: false, hidden: false, record: false } });
    await until('Grace’s picture is gone', async () => !(await ada.tiles()).find((tile) => tile.name === 'Grace').picture);
    const disabled = () => grace.page.evaluate(() => document.getElementById('toggle-camera').disabled);
    await until('Grace’s camera cannot be switched on', disabled);
    await grace.screenshot('camera-not-allowed');
    await act({ do: 'grant', grants: { publish: ['microphone', 'camera'], subscribe: true, data: true, moderate: false, hidden: false, record: false } });
    await until('it can again', async () => !(await disabled()));
    assert.ok(!(await ada.tiles()).find((tile) => tile.name === 'Grace').picture, 'it does not go on by itself');
    await grace.click('#toggle-camera');
    await ada.sees('Grace');

    await act({ do: 'remove', keep_out: true });
    await ada.seesNot('Grace');
    await until('Grace is told', () => grace.isVisible('#join-error'));
    assert.match(await grace.text('#join-error'), /removed/);
    await grace.click('#join');
    await until('and stays out', async () => /not let into/.test(await grace.text('#join-error')));
  });
});
