/** A class in real pages: people wait to be let in, go into a group and come back, and are told what they may do. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launchChromium } from '../lib/browsers.js';
import { wire } from '../lib/cut.js';
import { Person, until } from '../lib/person.js';
import { serverBinary, startServer } from '../lib/server.js';

const TIMEOUT = { timeout: 180_000 };
/** From the moderator's word until nothing is seen any more. */
const STOPS_WITHIN_MS = 500;

describe('class', () => {
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

  const token = (room, identity, role) =>
    execFileSync(serverBinary(), ['token', '--secret-file', secret, '--room', room, '--identity', identity, '--role', role], { encoding: 'utf8' }).trim();
  const person = async (name, role, room = 'class', url = server.url) => {
    const page = await (await browser.newContext({ viewport: { width: 1200, height: 700 } })).newPage();
    return Person.open(page, name, url, { room, token: token(room, name.toLowerCase(), role) });
  };
  /** Everybody closes their page. */
  const goHome = (...people) => Promise.all(people.map((who) => who.page.context().close()));
  /** In a room menu. */
  const choose = async (who, id) => {
    await who.click('#toggle-room-menu');
    await who.click(id);
  };
  const waits = async (who) => {
    await who.page.waitForSelector('#reach[data-reachable="true"]');
    await who.click('#join');
    await until(`${who.name} waits`, () => who.isVisible('#waiting'));
  };
  const isIn = (who) => until(`${who.name} is in`, () => who.isVisible('#call'));
  const say = async (who, text) => {
    if (!(await who.isVisible('#chat'))) await who.click('#toggle-chat');
    await who.page.fill('#chat-text', text);
    await who.page.press('#chat-text', 'Enter');
  };
  const said = async (who) => {
    if (!(await who.isVisible('#chat'))) await who.click('#toggle-chat');
    return who.page.evaluate(() => [...document.querySelectorAll('#chat-list .said p')].map((one) => one.textContent));
  };
  const hears = (who, ...texts) => until(`${who.name} reads ${texts}`, async () => JSON.stringify(await said(who)) === JSON.stringify(texts), { explain: () => said(who) });

  test('people wait, come in, go into a group and back, and each room keeps its own chat', TIMEOUT, async () => {
    const ada = await (await person('Ada', 'teacher')).join();
    await choose(ada, '#wait-room');
    const [ben, cleo] = [await person('Ben', 'student'), await person('Cleo', 'student')];
    await Promise.all([waits(ben), waits(cleo)]);
    assert.ok(!(await ben.isVisible('#call')));
    assert.equal(await ben.page.evaluate(() => window.sampanCall.participants.length), 0, 'who waits knows nobody');
    await until('Ada is told of both', async () => /2 people/.test(await ada.text('#waiting-notice-text')));
    await ada.screenshot('class-waiting-notice');
    await ben.screenshot('class-waiting');
    await ada.click('#show-waiting');
    await ada.click('[data-waiting="Ben"] .small-button >> nth=0');
    await isIn(ben);
    assert.ok(await cleo.isVisible('#waiting'), 'one by one');
    await ada.click('[data-waiting="Cleo"] .small-button >> nth=1');
    await until('Cleo is told', async () => /did not let you in/.test(await cleo.text('#join-error')));
    await waits(cleo);
    await ada.click('#admit-all');
    await isIn(cleo);
    await Promise.all([ada.sees('Ben'), ben.sees('Cleo'), cleo.sees('Ada')]);
    await say(ada, 'Good morning');
    await Promise.all([ben, cleo].map((who) => hears(who, 'Good morning')));

    // Into a group, by the panel.
    const connections = () => Promise.all([ada, ben, cleo].map((who) => who.page.evaluate(() => window.testPeers.length)));
    const before = await connections();
    await ada.page.fill('#group-count', '2');
    await ada.click('#make-groups');
    const move = (who, group) => ada.page.selectOption(`[data-person="${who}"] select[aria-label^="Group"]`, group);
    await move('Ben', 'Group 1');
    await ada.seesNot('Ben');
    await move('Cleo', 'Group 1');
    await Promise.all([ben.sees('Cleo'), cleo.sees('Ben')]);
    await ben.receives(1);
    await until('Ben reads where he is', async () => /Group 1/.test(await ben.text('#call-room')));
    await ada.screenshot('class-groups-teacher');
    await ben.screenshot('class-group');
    await say(ben, 'Between us');
    await hears(cleo, 'Between us');
    assert.deepEqual(await said(ada), ['Good morning'], 'a group talks among itself');

    // Back, on the same connections.
    await ada.click('#recall');
    await Promise.all([ada.sees('Ben'), ben.sees('Ada'), cleo.sees('Ben')]);
    await ada.receives(2);
    await Promise.all([ada, ben, cleo].map((who) => hears(who, 'Good morning')));
    assert.deepEqual(await connections(), before, 'nobody connected again');
    await say(cleo, 'Hello again');
    await hears(ben, 'Good morning', 'Hello again');
    for (const who of [ada, ben, cleo]) assert.deepEqual(who.complaints, []);
    await goHome(ada, ben, cleo);
  });

  test('who waits goes on waiting when the connection is lost, until they do not want to any more', TIMEOUT, async () => {
    const proxy = await wire(server.port);
    const gwen = await (await person('Gwen', 'teacher', 'evening')).join();
    await choose(gwen, '#wait-room');
    const hugo = await person('Hugo', 'audience', 'evening', proxy.url);
    await waits(hugo);
    const waiting = (count) => until(`${count} wait`, () => gwen.page.evaluate((n) => window.sampanCall.waiting.length === n, count));
    await waiting(1);
    proxy.cut();
    await waiting(0);
    assert.ok(await hugo.isVisible('#waiting'));
    proxy.mend();
    await waiting(1);
    await hugo.click('#stop-waiting');
    await waiting(0);
    await until('Hugo can join again', async () => (await hugo.isVisible('#join')) && !(await hugo.isVisible('#waiting')));
    await waits(hugo);
    await gwen.click('#notice-admit-all');
    await isIn(hugo);
    await goHome(gwen, hugo);
    await proxy.close();
  });

  test('a spotlight is for all, a role is changed at once, and attributes are compared', TIMEOUT, async () => {
    const dora = await (await person('Dora', 'teacher', 'lesson')).join();
    const emil = await (await person('Emil', 'student', 'lesson')).join();
    const flora = await (await person('Flora', 'student', 'lesson')).join();
    await Promise.all([dora.sees('Emil'), flora.sees('Emil')]);
    const featured = (who, name) => who.page.evaluate((one) => [...document.querySelectorAll('#featured .tile-name')].some((tile) => tile.textContent === one), name);
    await dora.page.evaluate(() => {
      const { id } = window.sampanCall.participants.find(({ name }) => name === 'Emil');
      return window.sampanCall.moderate({ do: 'spotlight', participant: id });
    });
    await until('everybody looks at Emil', async () => (await featured(flora, 'Emil')) && (await featured(dora, 'Emil')) && featured(emil, 'You'));
    await flora.screenshot('class-spotlight');

    const took_ms = await dora.page.evaluate(async () => {
      const call = window.sampanCall;
      const { id } = call.participants.find(({ name }) => name === 'Emil');
      const tile = document.querySelector(`[data-tile="${id}/person"]`);
      const start = performance.now();
      await call.moderate({ do: 'role', participant: id, role: 'audience' });
      while (tile.dataset.picture === 'shown') await new Promise((resolve) => setTimeout(resolve, 5));
      return performance.now() - start;
    });
    assert.ok(took_ms < STOPS_WITHIN_MS, `${took_ms} ms`);
    await until('Emil is told', async () => /Audience/.test(await emil.text('#call-notice')));
    assert.ok(await emil.page.evaluate(() => document.getElementById('toggle-microphone').disabled));

    const set = (who, change) => who.page.evaluate((one) => window.sampanCall.setAttribute(one).catch(({ code, present }) => ({ code, present })), change);
    const version = await set(dora, { key: 'topic', value: 'fractions', version: 0 });
    await until('Flora reads it', async () => (await flora.page.evaluate(() => window.sampanCall.attribute('topic')?.value)) === 'fractions');
    assert.deepEqual(await set(dora, { key: 'topic', value: 'decimals', version: 0 }), { code: 'conflict', present: { value: 'fractions', version } });
    assert.equal((await set(flora, { key: 'topic', value: 'x' })).code, 'not_allowed');
    for (const who of [dora, emil, flora]) assert.deepEqual(who.complaints, []);
    await goHome(dora, emil, flora);
  });

  test('six pages: the teacher is seen and heard by all, and mutes them at one word', TIMEOUT, async () => {
    const teacher = await (await person('Teacher', 'teacher', 'six')).join();
    await teacher.page.evaluate(() => window.sampanCall.moderate({ do: 'publishing', sources: ['microphone'] }));
    const students = [];
    for (const name of ['Ava', 'Bo', 'Cy', 'Di', 'Eve']) students.push(await (await person(name, 'student', 'six')).join());
    for (const student of students) await student.sees('Teacher');
    // One picture, and the sound of everybody else.
    for (const student of students) await student.receives(1, 5);
    await teacher.receives(0, 5);
    await teacher.screenshot('class-of-six');
    await students[0].screenshot('class-of-six-student');

    const muted = (who) => who.page.evaluate(() => window.sampanCall.participants.filter(({ tracks }) => tracks.every(({ source, active }) => source !== 'microphone' || !active)).map(({ name }) => name).sort().join());
    await teacher.page.evaluate(() => window.sampanCall.moderate({ do: 'stop', sources: ['microphone'] }));
    await until('everybody is silent', async () => (await muted(teacher)) === 'Ava,Bo,Cy,Di,Eve', { explain: () => muted(teacher) });
    await students[1].receives(1, 1);
    await say(students[2], 'Question');
    await hears(students[4], 'Question');
    for (const who of [teacher, ...students]) assert.deepEqual(who.complaints, [], who.name);
    await goHome(teacher, ...students);
  });
});
