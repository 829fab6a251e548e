/** A hue in degrees from a name: the same everywhere, far apart for names that differ by a letter. @param {string} name */
export function hueOf(name: string): number;
/**
 * A boat on moving water, in the colour of the name.
 * @param {string} name
 * @returns {{track: MediaStreamTrack, stop: () => void}}
 */
export function generatedPicture(name: string): {
    track: MediaStreamTrack;
    stop: () => void;
};
/**
 * A quiet tone that swells twice a second, at a pitch of the name's own.
 * @param {string} name
 * @returns {{track: MediaStreamTrack, stop: () => void}}
 */
export function generatedTone(name: string): {
    track: MediaStreamTrack;
    stop: () => void;
};
