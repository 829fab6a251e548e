import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { Turns, canDeflate, deflate, inflate } from '../../../client-demo/web/sdk/deflate.js';
import { Link } from '../../../client-demo/web/sdk/link.js';

const join = readFileSync(new URL('../../../signaling/wire/fixtures/client_join.json', import.meta.url), 'utf8').repeat(20);

test('what is compressed is raw deflate, and reads as it was', async () => {
  assert.ok(canDeflate);
  const bytes = await deflate(join);
  assert.ok(bytes.byteLength * 8 < join.length, `${bytes.byteLength} of ${join.length}`);
  assert.equal(inflateRawSync(Buffer.from(bytes)).toString(), join);
  assert.equal(await inflate(new Uint8Array(deflateRawSync(join)).buffer), join);
});

test('a frame may refer to what the page said first, and to nothing else', async () => {
  const answer = join.slice(100).replaceAll('"join"', '"joined"');
  const said = new TextEncoder().encode(join);
  // As the server makes it: raw deflate behind what was said, which is left out.
  const frame = new Uint8Array([7, ...deflateRawSync(answer, { dictionary: said.subarray(-32768) })]);
  assert.ok(frame.length < deflateRawSync(answer).length, `${frame.length} bytes`);
  assert.equal(await inflate(frame.buffer, said), answer);
  assert.equal(await inflate(new Uint8Array(deflateRawSync(answer)).buffer, said), answer, 'one that does not');
  await assert.rejects(inflate(frame.buffer));
  await assert.rejects(inflate(frame.slice(0, -3).buffer, said));
  const long = new TextEncoder().encode('é'.repeat(40_000) + join);
  assert.equal(await inflate(new Uint8Array([7, ...deflateRawSync(answer, { dictionary: long.subarray(-32768) })]).buffer, long), answer);
});

test('what is cut off or something else is no text', async () => {
  const whole = new Uint8Array(deflateRawSync(join));
  await assert.rejects(inflate(whole.slice(0, -5).buffer));
  await assert.rejects(inflate(new Uint8Array([0, 159, 146, 150]).buffer));
});

test('messages stay in order though some are compressed, and none waits for nothing', async () => {
  const turns = new Turns();
  const seen = [];
  const note = (value) => void seen.push(value);
  const later = (value, ms) => new Promise((resolve) => setTimeout(() => resolve(value), ms));
  turns.take('at once', note);
  assert.deepEqual(seen, ['at once']);
  turns.take(later('slow', 20), note);
  turns.take('behind it', note);
  turns.take(later('quick', 1), note);
  turns.take('last', note);
  assert.deepEqual(seen, ['at once']);
  await later(null, 60);
  assert.deepEqual(seen, ['at once', 'slow', 'behind it', 'quick', 'last']);
  turns.take('at once again', note);
  assert.equal(seen.at(-1), 'at once again');
});

test('a fault in one does not stop the next', async (t) => {
  t.mock.method(console, 'error', () => {});
  const turns = new Turns();
  const seen = [];
  turns.take(Promise.resolve(1), () => { throw new Error('a fault'); });
  turns.take(2, (value) => seen.push(value));
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(seen, [2]);
});

class Socket {
  static OPEN = 1;
  readyState = Socket.OPEN;
  sent = [];
  constructor(url) {
    this.url = url;
  }
  send(frame) {
    this.sent.push(frame);
  }
  close() {}
}

/** A link whose other end is this test. @param {(socket: Socket) => void} [greet] what the server says first */
function linked(t, greet = () => {}) {
  const real = globalThis.WebSocket;
  const sockets = [];
  globalThis.WebSocket = class extends Socket {
    constructor(url) {
      super(url);
      sockets.push(this);
    }
  };
  const link = new Link('wss://calls.example.org/ws');
  t.after(() => {
    link.close();
    globalThis.WebSocket = real;
  });
  sockets[0].onopen();
  greet(sockets[0]);
  return { link, socket: sockets[0] };
}
const settled = () => new Promise((resolve) => setTimeout(resolve, 30));
const long = { type: 'state', key: 'pen', value: 'x'.repeat(3000) };
const short = { type: 'state', key: 'pen', value: 'y' };

test('a page compresses what is long for a server that has shown to read it, and for no other', async (t) => {
  const old = linked(t);
  assert.match(old.socket.url, /\/ws\?deflate=2$/);
  old.link.send(long);
  old.link.send(short);
  await settled();
  assert.deepEqual(old.socket.sent.map((frame) => JSON.parse(frame)), [long, short]);

  const { link, socket } = linked(t, (one) => one.onmessage({ data: new ArrayBuffer(0) }));
  link.send(short);
  assert.deepEqual(JSON.parse(socket.sent[0]), short, 'at once');
  link.send(long);
  link.send(short);
  await settled();
  const [, first, second] = socket.sent;
  assert.ok(first.byteLength < 100, `${first.byteLength} bytes`);
  assert.deepEqual(JSON.parse(await inflate(first)), long);
  assert.deepEqual(JSON.parse(second), short);
});

test('a page hears compressed messages in their order, and the end of the connection behind them', async (t) => {
  const { link, socket } = linked(t);
  const heard = [];
  link.on('message', (message) => heard.push(message.type));
  link.on('closed', (why) => heard.push(why));
  const compressed = await deflate('{"type":"need_slots","wanted":8}');
  socket.onmessage({ data: compressed });
  socket.onmessage({ data: '{"type":"first_frame","mid":"1","participant":"a","rtp_timestamp":1}' });
  socket.onclose({ reason: 'removed', code: 1008 });
  await settled();
  assert.deepEqual(heard, ['need_slots', 'first_frame', 'removed']);
});
