/** Encryption end to end as far as no browser is needed: SFrame, the key ring, what of a frame stays readable. */

import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { test } from 'node:test';
import { preferredCodecs, sealable } from '../../../client-demo/web/sdk/codecs.js';
import { Sealer, openFrame, readableBytes } from '../../../client-demo/web/sdk/encryption/frames.js';
import { canEncrypt, problemOf } from '../../../client-demo/web/sdk/encryption/index.js';
import { KeyRing } from '../../../client-demo/web/sdk/encryption/keyring.js';
import { baseKey, checkKey } from '../../../client-demo/web/sdk/encryption/passphrase.js';
import { joinRed, splitRed } from '../../../client-demo/web/sdk/encryption/red.js';
import { concat, deriveSecret, open, parseHeader, seal, writeHeader } from '../../../client-demo/web/sdk/encryption/sframe.js';

globalThis.crypto ??= webcrypto; // Node 18 has it by this name alone.

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, 'hex'));
const hex = (data) => Buffer.from(data).toString('hex');
const counting = (length) => Uint8Array.from({ length }, (_, at) => at);
const altered = (data, at, byte) => Uint8Array.from(data, (one, index) => (index === at ? byte : one));
const ringOf = (...bases) => {
  const ring = new KeyRing();
  for (const base of bases) ring.use(base);
  return ring;
};
const [ONE, TWO, THREE] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));

// --- SFrame ---

test('the test vector of RFC 9605, appendix C.3, for AES_128_GCM_SHA256_128', async () => {
  const [kid, ctr] = [0x123n, 0x4567n];
  const secret = await deriveSecret(bytes('000102030405060708090a0b0c0d0e0f'), kid);
  assert.equal(hex(secret.salt), '75234edefe07819026751816');
  const [metadata, plain] = [bytes('4945544620534672616d65205747'), bytes('64726166742d696574662d736672616d652d656e63')];
  const sealed = await seal(secret, kid, ctr, metadata, plain);
  assert.equal(hex(sealed), '9901234567b7412c2513a1b66dbb48841bbaf17f598751176ad847681a69c6d0b091c07018ce4adb34eb');
  assert.deepEqual(await open(secret, parseHeader(sealed), metadata, sealed), plain);
});

for (const [kid, ctr, expected] of [
  [0n, 0n, '00'], [7n, 7n, '77'], [8n, 0n, '8008'], [0n, 8n, '0808'], [0xffn, 0x100n, '89ff0100'], [0x123n, 0x4567n, '9901234567'],
  [2n ** 64n - 1n, 2n ** 64n - 1n, `ff${'ff'.repeat(16)}`],
]) {
  test(`the header of KID ${kid} and CTR ${ctr} is ${expected}`, () => {
    const header = writeHeader(kid, ctr);
    assert.equal(hex(header), expected);
    assert.deepEqual(parseHeader(concat(header, bytes('aabb'))), { kid, ctr, length: header.length });
    for (let cut = 0; cut < header.length; cut++) assert.equal(parseHeader(header.subarray(0, cut)), null, `cut at ${cut}`);
  });
}

// --- the key ring ---

test('who has the shared key opens what anybody else seals, and nobody else does', async () => {
  const [ann, ben, eve] = [ringOf(ONE), ringOf(ONE), ringOf(TWO)];
  const [metadata, plain] = [counting(3), counting(50)];
  const sealed = await ann.seal(metadata, plain);
  assert.deepEqual(await ben.open(metadata, sealed), plain);
  assert.deepEqual(await ben.open(metadata, sealed), plain, 'again: a copy may come twice');
  assert.equal(await eve.open(metadata, sealed), null);
  assert.equal(await ben.open(counting(2), sealed), null, 'other metadata');
  for (let at = 0; at < sealed.length; at++) {
    assert.equal(await ben.open(metadata, altered(sealed, at, sealed[at] ^ 1)), null, `altered at ${at}`);
  }
  for (const cut of [0, 1, 9, 10, sealed.length - 1]) assert.equal(await ben.open(metadata, sealed.subarray(0, cut)), null, `cut at ${cut}`);
});

test('no two frames of a call have one nonce under one key: every sender has a KID, every frame a CTR of its own', async () => {
  const seen = new Set();
  for (const ring of [ringOf(ONE), ringOf(ONE), ringOf(ONE, TWO)]) {
    for (const sealed of await Promise.all(Array.from({ length: 300 }, () => ring.seal(counting(0), counting(5))))) {
      const { kid, ctr } = parseHeader(sealed);
      seen.add(`${kid}/${ctr}`);
    }
  }
  assert.equal(seen.size, 900);
});

test('after a change of keys the one before still opens, the one before that does not', async () => {
  const ann = ringOf(ONE);
  const ben = ringOf(ONE, TWO);
  const [none, plain] = [counting(0), counting(8)];
  assert.deepEqual(await ben.open(none, await ann.seal(none, plain)), plain, 'Ann has not changed yet');
  assert.equal(await ann.open(none, await ben.seal(none, plain)), null, 'Ben seals with the new one');
  ann.use(TWO);
  assert.deepEqual(await ann.open(none, await ben.seal(none, plain)), plain);
  ben.use(THREE);
  assert.equal(await ben.open(none, await ringOf(ONE).seal(none, plain)), null);
});

test('nothing leaves before there is a key', async () => {
  const ring = new KeyRing();
  const sealed = ring.seal(counting(0), counting(4));
  assert.equal(await Promise.race([sealed, new Promise((resolve) => setTimeout(resolve, 50, 'waits'))]), 'waits');
  ring.use(ONE);
  assert.deepEqual(await ringOf(ONE).open(counting(0), await sealed), counting(4));
});

// --- frames ---

const VP8_KEY = concat(bytes('1000009d012a40018400'), counting(40));
for (const [name, codec, frame, readable] of [
  ['Opus keeps its first byte', 'opus', concat(bytes('78'), counting(60)), 1],
  ['silence of one byte is a frame as well', 'opus', bytes('78'), 1],
  ['a key frame of VP8 keeps its header', 'vp8', VP8_KEY, 10],
  ['any other frame of VP8 keeps its first byte', 'vp8', concat(bytes('31'), counting(40)), 1],
  ['VP9 keeps nothing', 'vp9', counting(40), 0],
]) {
  test(name, async () => {
    const sealed = await new Sealer(ringOf(ONE)).seal(codec, frame);
    assert.equal(readableBytes(codec, sealed), readable, 'found again in what is sealed');
    assert.deepEqual(sealed.subarray(0, readable), frame.subarray(0, readable));
    if (frame.length > 20) assert.ok(!hex(sealed).includes(hex(frame.subarray(readable, readable + 8))));
  
    assert.deepEqual(await openFrame(ringOf(ONE), codec, sealed), frame);
    assert.equal(await openFrame(ringOf(TWO), codec, sealed), null);
    if (readable > 0) assert.equal(await openFrame(ringOf(ONE), codec, altered(sealed, 0, sealed[0] ^ 2)), null, 'what is readable is not to be altered');
  });
}

test('what cannot be sealed does not leave, and what is not sealed is not played', async () => {
  for (const codec of ['h264', 'av1', 'telephone-event', '']) assert.equal(await new Sealer(ringOf(ONE)).seal(codec, counting(100)), null, codec);
  assert.equal(await new Sealer(ringOf(ONE)).seal('red', bytes('ef')), null, 'malformed');
  for (const codec of ['opus', 'red', 'vp8', 'vp9']) assert.equal(await openFrame(ringOf(ONE), codec, counting(100)), null, codec);
});

test('packets of nothing but padding pass as they are', async () => {
  for (const codec of ['opus', 'red', 'vp8']) {
    assert.equal((await new Sealer(ringOf(ONE)).seal(codec, counting(0))).length, 0);
    assert.equal((await openFrame(ringOf(TWO), codec, counting(0))).length, 0);
  }
});

// --- redundant sound ---

test('RED is taken apart and put together', () => {
  const whole = bytes('ef03c0036f aabbcc 0102030405'.replaceAll(' ', ''));
  const blocks = splitRed(whole);
  assert.deepEqual(blocks.map(({ pt, offset, payload }) => [pt, offset, hex(payload)]), [[111, 240, 'aabbcc'], [111, 0, '0102030405']]);
  assert.equal(hex(joinRed(blocks)), hex(whole));
  const deep = [{ pt: 111, offset: 16383, payload: counting(1023) }, { pt: 111, offset: 1, payload: counting(0) }, { pt: 111, offset: 0, payload: counting(2) }];
  assert.deepEqual(splitRed(joinRed(deep)), deep);
  for (const cut of [0, 1, 3, 4, 7]) assert.equal(splitRed(whole.subarray(0, cut)), null, `cut at ${cut}`);
  assert.equal(joinRed([{ pt: 111, offset: 1, payload: counting(1024) }, deep[2]]).length, 3, 'too long for its header');
});

test('each block of RED is sealed by itself, and the copy of a packet is its bytes again', async () => {
  const sealer = new Sealer(ringOf(ONE));
  const packet = (n) => concat(bytes('78'), new Uint8Array(40).fill(n));
  const red = (n) => joinRed([{ pt: 111, offset: 960, payload: packet(n - 1) }, { pt: 111, offset: 0, payload: packet(n) }]);
  const [first, second] = [await sealer.seal('red', red(1), 960), await sealer.seal('red', red(2), 1920)];
  const [, newest] = splitRed(first);
  const [copy, next] = splitRed(second);
  assert.deepEqual([copy.pt, copy.offset, next.pt], [111, 960, 111], 'the server reads the headers');
  assert.equal(hex(copy.payload), hex(newest.payload));
  // As the server makes it for a listener that loses much.
  const made = joinRed([{ ...newest, offset: 960 }, next]);
  assert.equal(hex(await openFrame(ringOf(ONE), 'red', made)), hex(red(2)));
  assert.equal(hex(await openFrame(ringOf(ONE), 'opus', next.payload)), hex(packet(2)), 'on a clean link without RED');
  const damaged = joinRed([{ ...newest, offset: 960, payload: altered(newest.payload, 20, newest.payload[20] ^ 1) }, next]);
  assert.equal(hex(await openFrame(ringOf(ONE), 'red', damaged)), hex(joinRed([{ pt: 111, offset: 0, payload: packet(2) }])), 'a copy that does not open is left out');
});

test('two packets at one time are two packets', async () => {
  const sealer = new Sealer(ringOf(ONE));
  const red = (n) => joinRed([{ pt: 111, offset: 0, payload: concat(bytes('78'), new Uint8Array(8).fill(n)) }]);
  const [a, b] = [await sealer.seal('red', red(1), 5), await sealer.seal('red', red(2), 5)];
  assert.deepEqual(await Promise.all([a, b].map(async (one) => hex(await openFrame(ringOf(ONE), 'red', one)))), [hex(red(1)), hex(red(2))]);
});

// --- what people give and are told ---

test('a passphrase is a key of its room; bytes are a key as they are', async () => {
  const [here, again, elsewhere, other] = await Promise.all([
    baseKey('ｃaffè', 'demo'), baseKey('caffe\u0300', 'demo'), baseKey('caffè', 'elsewhere'), baseKey('tea', 'demo'),
  ]);
  assert.equal(hex(here), hex(again), 'however a keyboard writes it');
  assert.equal(new Set([here, elsewhere, other].map(hex)).size, 3);
  assert.equal(here.length, 32);
  assert.deepEqual(await baseKey(ONE, 'demo'), ONE);
  for (const key of ['', ' \n', new Uint8Array(15)]) assert.throws(() => checkKey(key), { code: 'bad_key' });
  for (const key of ['x', new Uint8Array(16)]) checkKey(key);
});

test('why nothing is to be seen of somebody', () => {
  for (const [ours, theirs, failing, problem] of [
    [false, false, false, null], [true, true, false, null], [false, true, false, 'encrypted'], [true, true, true, 'key_differs'],
    [true, false, false, 'not_encrypted'], [true, false, true, 'not_encrypted'],
  ]) assert.equal(problemOf(ours, theirs, failing), problem);
});

test('an encrypted call offers what can be sealed', () => {
  const all = ['VP8', 'VP9', 'H264', 'AV1', 'red', 'ulpfec', 'rtx'].map((name) => ({
    mimeType: `video/${name}`, clockRate: 90000, ...(name === 'H264' && { sdpFmtpLine: 'packetization-mode=1;profile-level-id=42e01f' }),
  }));
  const names = (direction, camera) => preferredCodecs(all, 'video', direction, camera, true).map(({ mimeType }) => mimeType.slice(6));
  assert.deepEqual(names('receive'), ['VP8', 'VP9', 'red', 'ulpfec', 'rtx']);
  assert.deepEqual(names('send', { codec: 'av1' }), ['VP8', 'rtx']);
  assert.deepEqual(names('send', { codec: 'vp9' }), ['VP9', 'VP8', 'rtx']);
  assert.equal(sealable({ codec: 'av1', fec: true }).codec, 'vp8');
  assert.deepEqual(sealable({ codec: 'vp9' }), { codec: 'vp9' });
});

test('a browser without encoded transforms, or a page without WebCrypto, cannot', () => {
  const scope = { RTCRtpScriptTransform: class {}, crypto: { subtle: {} } };
  assert.ok(canEncrypt(scope));
  assert.ok(!canEncrypt({ ...scope, RTCRtpScriptTransform: undefined }));
  assert.ok(!canEncrypt({ ...scope, crypto: {} }), 'plain HTTP');
});
