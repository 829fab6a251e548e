import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawnSize, settlesAfter_ms } from '../../../client-demo/web/sdk/tiles.js';

for (const [what, box, picture, fit, ratio, expected] of [
  ['a tile of the picture\u2019s shape', [480, 270], [960, 540], 'cover', 1, [480, 270]],
  ['device pixels', [480, 270], [960, 540], 'cover', 2, [960, 540]],
  ['a portrait tile cuts the sides off', [300, 400], [960, 540], 'cover', 1, [711, 400]],
  ['a screen in a wide place has bars', [1000, 400], [1600, 900], 'contain', 1, [711, 400]],
  ['no picture yet: the tile itself', [300, 400], [0, 0], 'cover', 1.5, [450, 600]],
  ['stretched', [300, 400], [960, 540], 'fill', 1, [300, 400]],
  ['nothing', [0, 0], [960, 540], 'cover', 1, [0, 0]],
  ['a wall of screens', [90_000, 50_000], [960, 540], 'cover', 1, [65_535, 50_625]],
]) {
  test(`the size of a picture: ${what}`, () => {
    const size = ([width, height]) => ({ width, height });
    assert.deepEqual(drawnSize(size(box), size(picture), fit, ratio), size(expected));
  });
}

test('more is asked for soon, less after a while, and nothing without a change', () => {
  const tile = { mid: '4', width: 640, height: 360, visible: true, pinned: false, priority: 0 };
  for (const [change, expected] of [
    [{}, null],
    [{ width: 700 }, 100],
    [{ width: 300 }, 1000],
    [{ width: 300, height: 400 }, 100],
    [{ visible: false }, 1000],
    [{ pinned: true }, 0],
    [{ priority: 2 }, 0],
  ]) {
    assert.equal(settlesAfter_ms(tile, { ...tile, ...change }), expected, JSON.stringify(change));
  }
  const hidden = { ...tile, visible: false };
  assert.equal(settlesAfter_ms(undefined, tile), 0);
  assert.equal(settlesAfter_ms(hidden, tile), 0, 'shown again: at once');
  assert.equal(settlesAfter_ms(hidden, { ...hidden, width: 10 }), null, 'its size does not matter');
});
