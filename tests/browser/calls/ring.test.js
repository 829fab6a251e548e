/** Somebody rings at somebody: two tabs, their dialogs, and the call that comes of it. */

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { launchChromium } from '../lib/browsers.js';
import { Person, until } from '../lib/person.js';
import { startServer } from '../lib/server.js';

const TIMEOUT = { timeout: 180_000 };

describe('ringing', () => {
  let server, browser;
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

  const person = async (name) => {
    const context = await browser.newContext();
    contexts.push(context);
    const one = await Person.open(await context.newPage(), name, server.url);
    await one.page.waitForSelector('#ring-form:not([hidden])');
    return one;
  };
  const ring = async (from, to) => {
    await from.page.fill('#ring-to', to);
    await from.page.press('#ring-to', 'Enter');
  };
  const rings = (one, open = true) => until(`it rings at ${one.name}: ${open}`, () => one.page.evaluate((wanted) => document.getElementById('ring-dialog').open === wanted, open));
  const inCall = (one) => until(`${one.name} is in the call`, () => one.isVisible('#call-title'));

  test('ring, answer, talk, hang up: and one answers while the other device stops', TIMEOUT, async () => {
    const [ada, grace, tablet] = [await person('Ada'), await person('Grace'), await person('Grace')];
    await ring(ada, 'Grace');
    await Promise.all([rings(grace), rings(tablet), rings(ada)]);
    assert.equal(await grace.text('#ring-name'), 'Ada');
    await until('Ada hears that it rings', async () => /ringing/.test(await ada.text('#ring-words')));
    await grace.screenshot('ringing');
    await grace.click('#ring-accept');
    await Promise.all([inCall(ada), inCall(grace), rings(tablet, false)]);
    await Promise.all([ada.sees('Grace'), grace.sees('Ada')]);
    await Promise.all([ada.receives(1), grace.receives(1)]);

    await ada.click('#leave');
    await until('Grace is back in the lobby, too', () => grace.isVisible('#join'));
    await until('and so is Ada', () => ada.isVisible('#join'));

    // Once more, in the other direction.
    await ring(grace, 'Ada');
    await rings(ada);
    await ada.click('#ring-accept');
    await Promise.all([ada.sees('Grace'), grace.sees('Ada')]);
    for (const one of [ada, grace, tablet]) assert.deepEqual(one.complaints, [], one.name);
  });

  test('declined, cancelled, busy: everybody is told', TIMEOUT, async () => {
    const [ada, grace, hedy] = [await person('Ada'), await person('Grace'), await person('Hedy')];
    await ring(ada, 'Grace');
    await rings(grace);
    await grace.click('#ring-reject');
    await until('Ada is told', async () => /declined/.test(await ada.text('#ring-notice')));

    await ring(ada, 'Grace');
    await rings(grace);
    await ada.click('#ring-reject');
    await rings(grace, false);
    await until('Grace is told what she missed', async () => /missed a call of Ada/.test(await grace.text('#ring-notice')));

    await ring(ada, 'Grace');
    await rings(grace);
    await grace.click('#ring-accept');
    await Promise.all([inCall(ada), inCall(grace)]);
    await ring(hedy, 'grace');
    await until('Hedy is told', async () => /another call/.test(await hedy.text('#ring-notice')));
  });
});
