/** How loud a track is, for a meter. */
/**
 * @param {MediaStreamTrack} track
 * @param {(level: number) => void} show 0..1, about 15 times a second
 * @returns {() => void} ends it
 */
export function watchLevel(track: MediaStreamTrack, show: (level: number) => void): () => void;
