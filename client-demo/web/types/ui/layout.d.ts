/**
 * @param {number} count tiles, at least 1
 * @param {number} width of the space, in CSS pixels @param {number} height
 * @param {number} gap between tiles
 * @param {number} [narrowest] width by height; for a screen, which must not be cut, that of the screen
 * @returns {{columns: number, width: number, height: number, scrolls: boolean}} of one tile; `scrolls`: more rows than fit
 */
export function tileSize(count: number, width: number, height: number, gap: number, narrowest?: number): {
    columns: number;
    width: number;
    height: number;
    scrolls: boolean;
};
