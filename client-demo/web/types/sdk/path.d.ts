export class MediaPath {
    /**
     * @param {{pairs: number, camera: CameraOptions, publications: Publications, reception: Reception, data: Data,
     *   encryption: () => Encryption | null}} options `pairs`: receive-only, to begin with; `encryption`: of the PeerConnection that is made now
     * @param {{secured: () => void, disturbed: () => void, replaced: () => void}} hooks `secured`: media may flow; `disturbed`: it may not get
     *   through any more; `replaced`: by another PeerConnection
     */
    constructor({ pairs, camera, publications, reception, data, encryption }: {
        pairs: number;
        camera: CameraOptions;
        publications: Publications;
        reception: Reception;
        data: Data;
        encryption: () => Encryption | null;
    }, hooks: {
        secured: () => void;
        disturbed: () => void;
        replaced: () => void;
    });
    get peer(): Peer | null;
    get isConnected(): boolean;
    /** A new PeerConnection with everything that is published, and its offer, if there is none. */
    prepare(): Peer;
    /** The offer made ahead, with what it offers. */
    offered(): Promise<{
        offer: string;
        tracks: import("./wire.js").TrackInfo[];
        slots: import("./wire.js").SlotPair[];
    }>;
    /** What to ask for on coming back; undefined: sound and pictures never stopped. */
    returning(): Promise<{
        offer: string;
        tracks: import("./wire.js").TrackInfo[];
        slots: import("./wire.js").SlotPair[];
    } | undefined>;
    /** @param {string} answer */
    accept(answer: string): Promise<void>;
    /** We are in the room. @param {Link} link */
    use(link: Link): void;
    /** The connection that is there gets data channels with an offer more, once it can be made; the next have them from the start. */
    openData(): void;
    /** The link is lost: what is under way on it will not be answered. */
    rest(): void;
    clear(): void;
    /** @param {number} wanted pairs, as the server asks for them; 0: as many as keep a spare */
    grow(wanted: number): void;
    /** Restarts the path unless it is there again in time. @param {boolean} [restarted] an ICE restart was tried already */
    heal(restarted?: boolean): void;
    /** A new PeerConnection in the running call, where the old one cannot be brought back. */
    renew(): void;
    /** @param {Source} source @param {MediaStreamTrack | null} track */
    setTrack(source: Source, track: MediaStreamTrack | null): Promise<void>;
    /** @returns {Promise<CallStats | null>} rates are since the last call of this */
    stats(): Promise<CallStats | null>;
    #private;
}
import { Peer } from './peer.js';
import type { Link } from './link.js';
import type { Source } from './wire.js';
import type { CallStats } from './stats.js';
import type { CameraOptions } from './codecs.js';
import type { Publications } from './publications.js';
import type { Reception } from './reception.js';
import type { Data } from './data.js';
import type { Encryption } from './encryption/index.js';
