/**
 * Slots that change hands: nobody's picture is ever shown as somebody else's, and sound stays with picture. Six people
 * come and go over the witness's four slots, so that the later ones sit where others sat before.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launchChromium, launchFirefox } from '../lib/browsers.js';
import { until } from '../lib/person.js';
import { startServer } from '../lib/server.js';
import { HUES, installPerformers, installWitness } from '../lib/witness.js';

const TIMEOUT = { timeout: 240_000 };
/** What people begin to notice (ITU-R BT.1359); the goal of the design. */
const LIP_SYNC_MS = 80;
const OFFSETS_WANTED = 6;
const NAMES = ['Ada', 'Ben', 'Cleo', 'Dan', 'Eve', 'Finn', 'Gil'];
const hues = Object.fromEntries(NAMES.map((name, index) => [name, HUES[(index * 5) % HUES.length]]));

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

describe('slots that change hands', () => {
  let server, browser;

  before(async () => {
    server = await startServer();
    browser = await launchChromium();
  }, TIMEOUT);
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  for (const [kind, launch] of [['Chromium', launchChromium], ['Firefox', launchFirefox]]) {
    test(`${kind} shows nobody as somebody else, and sound is within ${LIP_SYNC_MS} ms of picture after a rebind`, TIMEOUT, async (context) => {
      const room = `rebind-${kind}`;
      const stage = await browser.newPage();
      await stage.goto(server.url);
      await stage.evaluate(installPerformers);
      const own = await launch();
      context.after(async () => {
        await own.close();
        await stage.close();
      });
      const witness = await own.newPage();
      await witness.goto(server.url);
      await witness.evaluate(installWitness, { room, hues });
      const report = () => witness.evaluate(() => window.report());

      let before = null;
      for (const name of NAMES) {
        // The next one comes in the same instant in which the last one goes.
        if (before) await stage.evaluate((leaver) => window.stopPerformer(leaver), before);
        await stage.evaluate((what) => window.startPerformer(what), { room, name, hue: hues[name] });
        await until(`the witness hears and sees ${name} beat`, async () => ((await report())[name]?.offsets.length ?? 0) >= OFFSETS_WANTED, { explain: report });
        before = name;
      }

      const seen = await report();
      console.log(kind, JSON.stringify(seen));
      const mids = NAMES.map((name) => seen[name].mid);
      assert.ok(new Set(mids).size < NAMES.length, `some slot was used twice: ${mids}`);
      for (const name of NAMES) {
        assert.deepEqual(seen[name].wrong, [], `frames shown as ${name}’s`);
        assert.ok(seen[name].looked > 30, `${name} was looked at`);
        const offset = median(seen[name].offsets.slice(-OFFSETS_WANTED));
        assert.ok(Math.abs(offset) <= LIP_SYNC_MS, `${name}’s sound is ${offset} ms from the picture: ${seen[name].offsets}`);
      }
    });
  }
});
