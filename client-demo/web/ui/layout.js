/** How large tiles are, so that so many fit: pure arithmetic. */

/** Whoever is alone fills a phone ... */
const NARROWEST_ALONE = 1 / 2;
/** ... and otherwise a face stays whole in a tile from a portrait, where the space is upright itself ... */
const NARROWEST_UPRIGHT = 3 / 4;
/** ... or from an old photograph, where there is width to give ... */
const NARROWEST = 4 / 3;
/** ... to a film picture. */
const WIDEST = 16 / 9;
/** What cameras send. */
const PICTURE = 16 / 9;
/** Smaller tiles show nobody; from here on the grid scrolls. */
const SMALLEST = { width: 88, height: 72 };
/** At most what browsers take for a thin one. */
const SCROLL_BAR = 12;

/**
 * @param {number} count tiles, at least 1
 * @param {number} width of the space, in CSS pixels @param {number} height
 * @param {number} gap between tiles
 * @param {number} [narrowest] width by height; for a screen, which must not be cut, that of the screen
 * @returns {{columns: number, width: number, height: number, scrolls: boolean}} of one tile; `scrolls`: more rows than fit
 */
export function tileSize(count, width, height, gap, narrowest = height <= width ? NARROWEST : count === 1 ? NARROWEST_ALONE : NARROWEST_UPRIGHT) {
  let best = { columns: 1, width: 0, height: 0, score: -1 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const cellWidth = (width - gap * (columns - 1)) / columns;
    const cellHeight = (height - gap * (rows - 1)) / rows;
    if (cellWidth <= 0 || cellHeight <= 0) continue;
    const aspect = Math.min(WIDEST, Math.max(narrowest, cellWidth / cellHeight));
    const tileWidth = Math.min(cellWidth, cellHeight * aspect);
    const tileHeight = tileWidth / aspect;
    if (tileWidth < SMALLEST.width || tileHeight < SMALLEST.height) continue;
    // A tile that cuts the picture's sides off is worth less than its area; a last row of few is worth a little less.
    const kept = Math.min(aspect / PICTURE, 1);
    const filled = count / (columns * rows);
    const score = tileWidth * tileHeight * kept ** 0.3 * (0.85 + 0.15 * filled);
    if (score > best.score) best = { columns, width: Math.floor(tileWidth), height: Math.floor(tileHeight), score };
  }
  if (best.score < 0) {
    width -= SCROLL_BAR;
    const columns = Math.max(1, Math.floor((width + gap) / (SMALLEST.width + gap)));
    const tileWidth = Math.max(1, Math.floor((width - gap * (columns - 1)) / columns));
    return { columns, width: tileWidth, height: Math.floor(tileWidth / (4 / 3)), scrolls: true };
  }
  return { columns: best.columns, width: best.width, height: best.height, scrolls: false };
}
