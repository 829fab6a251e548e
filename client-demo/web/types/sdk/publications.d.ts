/** @import {Peer} from './peer.js' */
/** @import {Grants, Source, TrackInfo} from './wire.js' */
/** @typedef {{track: MediaStreamTrack | null, muted: boolean, active: boolean}} Published */
export class Publications {
    /** End to end: everybody is told. */ encrypted: boolean;
    /** @param {Source} source @returns {Published} */
    of(source: Source): Published;
    /** @param {Source} source @param {Partial<Published>} change */
    change(source: Source, change: Partial<Published>): void;
    /** Everything that is published goes to a new connection. @param {Peer} peer */
    fill(peer: Peer): Promise<void>;
    /** For the server, which knows it from now on. @param {Source} source @param {Peer} peer @returns {TrackInfo} */
    describe(source: Source, peer: Peer): TrackInfo;
    /** What changed since it was described last. @returns {Source[]} */
    get untold(): Source[];
    /** Off, here as there: the server has told us. It does not begin again by itself. @param {readonly Source[]} sources */
    stop(sources: readonly Source[]): void;
    /** What may not be published any more stops. @param {Grants} grants */
    permit(grants: Grants): void;
    #private;
}
export type Published = {
    track: MediaStreamTrack | null;
    muted: boolean;
    active: boolean;
};
import type { Source } from './wire.js';
import type { Peer } from './peer.js';
import type { TrackInfo } from './wire.js';
import type { Grants } from './wire.js';
