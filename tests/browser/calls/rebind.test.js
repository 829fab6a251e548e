/**
 * Slots that change hands: nobody's picture is ever shown as somebody else's, and sound stays with picture. Seven people
 * come and go over the witness's four slots, so that the later ones sit where others sat before.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launchChromium, launchFirefox } from '../lib/browsers.js';
import { until } from '../lib/person.js';
import { startServer } from '../lib/server.js';
import { HUES, installStage, installWitness } from '../lib/witness.js';

const TIMEOUT = { timeout: 300_000 };
/** What people begin to notice (ITU-R BT.1359); the goal of the design. */
const LIP_SYNC_MS = 80;
/** So many beats in a row must be within it. A browser that starts on a busy machine needs some seconds to get there. */
const BEATS = 5;
const NAMES = ['Ada', 'Ben', 'Cleo', 'Dan', 'Eve', 'Finn', 'Gil'];
const hues = Object.fromEntries(NAMES.map((name, index) => [name, HUES[(index * 5) % HUES.length]]));

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
      await stage.evaluate(installStage);
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
        await until(`${name}’s sound is where it belongs for ${BEATS} beats in a row`, async () => {
          const last = ((await report())[name]?.offsets ?? []).slice(-BEATS);
          return last.length === BEATS && last.every((offset) => Math.abs(offset) <= LIP_SYNC_MS);
        }, { explain: report });
        before = name;
      }

      const seen = await report();
      const mids = NAMES.map((name) => seen[name].mid);
      const told = Object.fromEntries(NAMES.map((name) => [name, seen[name].offsets]));
      context.diagnostic(`${kind}: beep minus flash in ms: ${JSON.stringify(told)}`);
      assert.ok(new Set(mids).size < NAMES.length, `some slot was used twice: ${mids}`);
      for (const name of NAMES) {
        assert.deepEqual(seen[name].wrong, [], `frames shown as ${name}’s`);
        assert.ok(seen[name].looked > 30, `${name} was looked at`);
      }
    });
  }
});
