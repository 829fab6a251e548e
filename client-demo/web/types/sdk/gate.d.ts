export function atOrAfter(a: number, b: number): boolean;
export class FrameGate {
    /** Whether what the slot presents may be shown as its owner's. */
    get open(): boolean;
    /** @param {string | null} owner who is on the slot now: participant and share, or nobody */
    bind(owner: string | null): void;
    /** The server sent the owner's first packet. @param {number} rtpTimestamp */
    firstFrame(rtpTimestamp: number): void;
    /**
     * A frame is on screen.
     * @param {number | null} rtpTimestamp null: the browser does not say
     * @param {boolean} exact false: the timestamp is of a frame received, not surely the one on screen
     */
    frame(rtpTimestamp: number | null, exact?: boolean): void;
    #private;
}
