export class Stage {
    /**
     * @param {Surface} surface
     * @param {() => void} blocked the browser holds the sound back until a click
     * @param {(name: string | null) => void} pinChanged somebody is pinned, or nobody any more
     */
    constructor(surface: Surface, blocked: () => void, pinChanged: (name: string | null) => void);
    /** @param {boolean} on */
    setSpeaker(on: boolean): void;
    /**
     * Everything as the call says it is now.
     * @param {Call} call @param {LocalMedia} local @param {MediaStreamTrack | null} screen our own
     * @param {(participant: string) => boolean} handOf whose hand is raised
     */
    render(call: Call, local: LocalMedia, screen: MediaStreamTrack | null, handOf: (participant: string) => boolean): void;
    clear(): void;
    #private;
}
import type { Call } from '../sdk/index.js';
import type { LocalMedia } from './local.js';
import type { Surface } from './dom.js';
