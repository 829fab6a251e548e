import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { ERROR_CODES, WireError, parseServerMessage, writeClientMessage } from '../../../client-demo/web/sdk/wire.js';

// The Rust tests read the same files. A missing folder fails here, and so does one that has lost its files.
const folder = new URL('../../../signaling/wire/fixtures/', import.meta.url);
const fixtures = readdirSync(folder).filter((name) => name.endsWith('.json'));
const read = (name) => readFileSync(new URL(name, folder), 'utf8');

const SERVER = ['data_cut', 'sound_lost', 'held', 'waiting', 'waiting_room', 'moved', 'groups', 'value_set', 'attribute_changed', 'role_changed', 'stopped', 'room_changed', 'registered', 'invited', 'incoming', 'call_changed', 'posted', 'messages', 'state', 'done', 'permissions', 'joined', 'resumed', 'presence', 'answer', 'participant_joined', 'participant_left', 'track_changed', 'bindings', 'first_frame', 'need_slots', 'speakers', 'layers', 'quality', 'pong', 'error'];
const CLIENT = ['history', 'set', 'register', 'invite', 'respond', 'post', 'received', 'state', 'moderate', 'join', 'hold', 'enter', 'resume', 'offer', 'track', 'prefer', 'stages', 'ping', 'leave'];

test('every message has a fixture, and every fixture is one of client or server', () => {
  const types = (side) => new Set(fixtures.filter((name) => name.startsWith(`${side}_`)).map((name) => JSON.parse(read(name)).type));
  assert.deepEqual([...types('server')].sort(), [...SERVER].sort());
  assert.deepEqual([...types('client')].sort(), [...CLIENT].sort());
  assert.deepEqual(fixtures.filter((name) => !/^(client|server)_/.test(name)), []);
});

for (const name of fixtures.filter((one) => one.startsWith('server_'))) {
  test(`${name} is understood, and nothing of it is lost`, () => {
    assert.deepEqual(parseServerMessage(read(name)), JSON.parse(read(name)));
  });
}

for (const name of fixtures.filter((one) => one.startsWith('client_'))) {
  test(`${name} is what the SDK writes`, () => {
    assert.deepEqual(JSON.parse(writeClientMessage(JSON.parse(read(name)))), JSON.parse(read(name)));
  });
}

test('the error codes are those of the protocol document', () => {
  const document = readFileSync(new URL('../PROTOCOL.md', folder), 'utf8');
  const section = document.slice(document.indexOf('## Error codes'), document.indexOf('## Limits'));
  const documented = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code);
  assert.deepEqual([...documented].sort(), [...ERROR_CODES].sort());
});

test('muted and active mean what they mean when they are absent', () => {
  const track = { mid: '0', kind: 'audio', source: 'microphone' };
  const message = parseServerMessage(JSON.stringify({ type: 'track_changed', participant: 'a', track }));
  assert.deepEqual(message.track, { ...track, muted: false, active: true });
});

test('unknown fields are ignored', () => {
  assert.equal(parseServerMessage('{"type":"pong","re":3,"later":true}').re, 3);
});

for (const [what, frame, reason] of [
  ['no JSON', '{"type":', /not JSON/],
  ['no object', '[]', /without a type/],
  ['null', 'null', /without a type/],
  ['an unknown type', '{"type":"dance"}', /unknown message dance/],
  ['a type that is a property of every object', '{"type":"toString"}', /unknown message/],
  ['a missing field', '{"type":"first_frame","mid":"3","participant":"a"}', /first_frame: \.rtp_timestamp/],
  ['a field of the wrong type', '{"type":"bindings","bindings":[{"slot":{"audio":1,"video":"2"},"participant":null,"share":"person"}]}', /\[0\] \.slot \.audio/],
  ['an unknown share', '{"type":"bindings","bindings":[{"slot":{"audio":"1","video":"2"},"participant":null,"share":"hat"}]}', /share is not one of/],
]) {
  test(`${what} is refused with the reason`, () => {
    assert.throws(() => parseServerMessage(frame), (error) => error instanceof WireError && reason.test(error.message));
  });
}

test('a message that is built wrong is not sent', () => {
  assert.throws(() => writeClientMessage({ type: 'track', track: { mid: '0', kind: 'smell', source: 'camera', muted: false, active: true } }), /kind is not one of/);
});
