import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameGate, atOrAfter } from '../../../client-demo/web/sdk/gate.js';
import { SLOTS_MAX, SlotTable } from '../../../client-demo/web/sdk/slots.js';

for (const [a, b, expected] of [
  [5, 5, true], [6, 5, true], [4, 5, false],
  [0, 0xffffffff, true], [0xffffffff, 0, false], [0x7fffffff, 0, true], [0x80000001, 0, false],
]) {
  test(`RTP timestamp ${a} ${expected ? 'is' : 'is not'} at or after ${b}`, () => assert.equal(atOrAfter(a, b), expected));
}

test('a slot that nobody was on shows its first frame at once', () => {
  const gate = new FrameGate();
  gate.frame(1000);
  assert.equal(gate.open, false, 'nobody is on it yet');
  gate.bind('ada');
  assert.equal(gate.open, false, 'no frame yet');
  gate.frame(2000);
  assert.equal(gate.open, true);
});

test('a slot that changes hands hides the frames of its former owner', () => {
  const gate = used('ada', 1000);
  gate.bind('grace');
  assert.equal(gate.open, false);
  gate.frame(2000);
  gate.firstFrame(90_000);
  assert.equal(gate.open, false, 'the frame on screen is still Ada’s');
  gate.frame(89_999);
  assert.equal(gate.open, false);
  gate.frame(90_000);
  assert.equal(gate.open, true);
});

test('the frame may come before the message that tells whose it is', () => {
  const gate = used('ada', 1000);
  gate.bind('grace');
  gate.frame(90_000);
  assert.equal(gate.open, false);
  gate.firstFrame(90_000);
  assert.equal(gate.open, true);
});

test('the frame may come before everything that is said about it', () => {
  const gate = used('ada', 1000);
  gate.frame(90_000);
  gate.bind('grace');
  gate.firstFrame(90_000);
  assert.equal(gate.open, true);
});

test('the last frame of the owner before does not open the gate across the wrap of timestamps', () => {
  const gate = used('ada', 0xffff0000);
  gate.bind('grace');
  gate.firstFrame(0x00000100);
  gate.frame(0xffffff00);
  assert.equal(gate.open, false);
  gate.frame(0x00000100);
  assert.equal(gate.open, true);
});

test('a slot that changes hands twice before anybody is seen is no fresh slot', () => {
  const gate = new FrameGate();
  gate.bind('ada');
  gate.bind('grace');
  gate.frame(1000);
  assert.equal(gate.open, false, 'it may be Ada’s');
});

test('a slot that is freed shows nothing, and who comes back to it waits for the first frame', () => {
  const gate = used('ada', 1000);
  gate.bind(null);
  assert.equal(gate.open, false);
  gate.firstFrame(500);
  gate.bind('ada');
  gate.frame(2000);
  assert.equal(gate.open, false);
  gate.firstFrame(3000);
  gate.frame(3000);
  assert.equal(gate.open, true);
});

test('the same owner again changes nothing', () => {
  const gate = used('ada', 1000);
  gate.bind('ada');
  assert.equal(gate.open, true);
});

test('where frames are known only as received, two more are let pass', () => {
  const gate = used('ada', 1000);
  gate.bind('grace');
  gate.firstFrame(90_000);
  gate.frame(90_000, false);
  gate.frame(93_000, false);
  assert.equal(gate.open, false);
  gate.frame(96_000, false);
  assert.equal(gate.open, true);
});

test('a frame received but not surely on screen never opens by itself', () => {
  const gate = used('ada', 1000);
  gate.bind('grace');
  gate.frame(90_000, false);
  gate.firstFrame(90_000);
  assert.equal(gate.open, false);
});

test('bindings and first frames find their slots by m-line', () => {
  const table = tableOf(3);
  table.bind({ slot: { audio: '6', video: '7' }, participant: 'ada', share: 'person' });
  table.bind({ slot: { audio: '8', video: '9' }, participant: 'ada', share: 'screen' });
  assert.equal(table.find('ada', 'person').mids.video, '7');
  assert.equal(table.find('ada', 'screen').mids.video, '9');
  assert.equal(table.find('grace', 'person'), undefined);
  assert.equal(table.firstFrame('7', 'ada', 1)?.mids.video, '7');
  assert.equal(table.firstFrame('6', 'ada', 1), undefined, 'an audio m-line');
  assert.equal(table.firstFrame('7', 'grace', 1), undefined, 'no longer hers');
  assert.equal(table.bind({ slot: { audio: '6', video: '9' }, participant: 'x', share: 'person' }), undefined, 'no such pair');
});

test('a leaver frees every slot', () => {
  const table = tableOf(3);
  table.bind({ slot: { audio: '4', video: '5' }, participant: 'ada', share: 'person' });
  table.bind({ slot: { audio: '6', video: '7' }, participant: 'ada', share: 'screen' });
  table.bind({ slot: { audio: '8', video: '9' }, participant: 'grace', share: 'person' });
  table.release('ada');
  assert.deepEqual(table.slots.map((slot) => slot.participant), [null, null, 'grace']);
});

test('pairs are added in steps, keep a spare, and have an end', () => {
  const table = tableOf(4);
  assert.equal(table.target(0), 4);
  assert.equal(table.target(4), 4);
  assert.equal(table.target(5), 8);
  assert.equal(table.target(9), 12);
  assert.equal(table.target(1000), SLOTS_MAX);
  for (const slot of table.slots) table.bind({ slot: slot.mids, participant: `p${slot.mids.audio}`, share: 'person' });
  assert.equal(table.target(0), 8, 'all are taken and the server said nothing');
});

/** A gate whose owner has been seen. */
function used(owner, rtpTimestamp) {
  const gate = new FrameGate();
  gate.bind(owner);
  gate.frame(rtpTimestamp);
  assert.equal(gate.open, true);
  return gate;
}

/** Pairs (4,5), (6,7), ... as an offer with four senders has them. */
function tableOf(pairs) {
  const table = new SlotTable();
  for (let i = 0; i < pairs; i++) table.add({ audio: String(4 + 2 * i), video: String(5 + 2 * i) });
  return table;
}
