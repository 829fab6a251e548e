/** DTLS inside checks (SPED), which Chromium speaks behind a field trial. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launchChromium } from '../lib/browsers.js';
import { Person } from '../lib/person.js';
import { startServer } from '../lib/server.js';

const TIMEOUT = { timeout: 120_000 };

describe('DTLS inside checks', () => {
  let server, speaks, other;

  before(async () => {
    server = await startServer();
    speaks = await launchChromium({ flags: ['--force-fieldtrials=WebRTC-IceHandshakeDtls/Enabled/'] });
    other = await launchChromium();
  }, TIMEOUT);
  after(async () => {
    await speaks?.close();
    await other?.close();
    await server?.stop();
  });

  test('who speaks it and who does not are in one call', TIMEOUT, async () => {
    const ada = await Person.open(await (await speaks.newContext()).newPage(), 'Ada', server.url, { room: 'sped' });
    const grace = await Person.open(await (await other.newContext()).newPage(), 'Grace', server.url, { room: 'sped' });
    await ada.join();
    await grace.join();
    await Promise.all([ada.sees('Grace'), grace.sees('Ada')]);
    await Promise.all([ada.receives(1), grace.receives(1)]);
    for (const one of [ada, grace]) assert.deepEqual(one.complaints, [], one.name);
  });
});
