/** The npm package, as somebody gets it: packed, installed elsewhere, type-checked and imported there. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';

const WEB = fileURLToPath(new URL('../../../client-demo/web/', import.meta.url));
const BIN = fileURLToPath(new URL('../node_modules/.bin/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sampan-package-'));
const run = (command, flags, cwd = folder) => execFileSync(command, flags, {
  cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PATH: `${BIN}${delimiter}${process.env.PATH}` },
});
/** @type {string[]} */
let files = [];

before(() => {
  const [packed] = JSON.parse(run('npm', ['pack', '--json', '--silent', '--pack-destination', folder], WEB));
  files = packed.files.map(({ path }) => path);
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(folder, packed.filename)]);
});
after(() => rmSync(folder, { recursive: true }));

test('the package holds both layers and their types, and nothing else', () => {
  for (const path of ['sdk/index.js', 'sdk/encryption/worker.js', 'ui/element.js', 'ui/base.css', 'types/sdk/index.d.ts', 'types/ui/element.d.ts', 'README.md']) assert.ok(files.includes(path), path);
  const stray = files.filter((path) => !/^(sdk|ui|types)\/|^(package\.json|README\.md)$/.test(path));
  assert.deepEqual(stray, []);
  assert.ok(!existsSync(join(WEB, 'types')), 'packing leaves nothing behind');
});

test('a program in TypeScript is checked against it', () => {
  writeFileSync(join(folder, 'app.ts'), `
import { Call, CallError, Phone, type ParticipantInfo, type CallState, type Grants } from 'sampan-sdk';
import { SampanCall } from 'sampan-sdk/element';

const call = new Call({ url: 'wss://calls.example.org/ws', slots: 4, key: crypto.getRandomValues(new Uint8Array(32)) });
call.on('encryption', ({ participant, problem }) => console.log(participant, problem === 'key_differs'));
void call.setKey('a passphrase');
call.on('arrived', (who: ParticipantInfo) => console.log(who.name.toUpperCase()));
call.on('state', (state: CallState) => console.log(state === 'reconnecting'));
call.on('bound', (view) => view.attach(document.createElement('video')));
call.messages.on('message', ({ body }) => console.log(body.length));
call.data.on('data', ({ participant, bytes, reliable }) => console.log(participant, bytes.length, reliable));
const sent: boolean = call.data.send(new Uint8Array(3), { reliable: false, to: ['pabc'] });
console.log(sent);
const grants: Readonly<Grants> | null = call.grants;
export async function start(track: MediaStreamTrack): Promise<number> {
  await call.publish('camera', track, { active: true });
  try {
    await call.join({ room: 'hello', name: 'Ann' });
  } catch (error) {
    if (error instanceof CallError && error.code === 'room_full') console.log(grants);
  }
  return call.messages.post('chat', 'Hello!');
}
new Phone({ url: 'wss://calls.example.org/ws', identity: 'ann', name: 'Ann' }).on('incoming', (ring) => void ring.accept());
const element = new SampanCall();
element.leave();
// @ts-expect-error there is no such event
call.on('nonsense', () => {});
// @ts-expect-error there is no such source
void call.publish('keyboard', null);
`);
  const flags = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext', '--moduleResolution', 'nodenext', '--lib', 'es2022,dom,dom.iterable'];
  try {
    run(join(BIN, 'tsc'), [...flags, 'app.ts']);
  } catch (error) {
    assert.fail(/** @type {any} */ (error).stdout);
  }
});

test('both entries can be imported where there is no browser', () => {
  const program = `
    const sdk = await import('sampan-sdk');
    const { SampanCall } = await import('sampan-sdk/element');
    console.log(typeof sdk.Call, typeof sdk.Phone, new sdk.CallError('gone', 'x').code, sdk.checkEnvironment().webrtc, typeof SampanCall);`;
  assert.equal(run(process.execPath, ['--input-type=module', '-e', program]).trim(), 'function function gone false function');
});

test('the element is built on the headless core alone', () => {
  for (const path of files.filter((one) => one.startsWith('ui/') && one.endsWith('.js'))) {
    const source = readFileSync(join(WEB, path), 'utf8');
    const reached = [...source.matchAll(/['"](?:\.\.\/)+sdk\/([\w.-]+)['"]/g)].map(([, file]) => file);
    assert.deepEqual([...new Set(reached)].filter((file) => file !== 'index.js'), [], path);
  }
});
