export class Connection {
    /** @param {string} url of the WebSocket @param {MediaPath} path @param {ConnectionHooks} hooks */
    constructor(url: string, path: MediaPath, hooks: ConnectionHooks);
    get state(): CallState;
    get asked(): Asked;
    /** Why the server ended the connection, if it said so. */
    get reason(): CallError | null;
    get stages(): Stages;
    /** Where requests go; null: nowhere at the moment. */
    get link(): Link | null;
    /** Who hears of what we publish: the room, or in the lobby the server that holds our place. */
    get listener(): Link | null;
    /** @param {ClientMessage} message @returns {boolean} false: not sent, since we are not in a room */
    tell(message: ClientMessage): boolean;
    /** @param {Asked} [wish] what we shall join with: the server settles everything ahead of it */
    prepare(wish?: Asked): void;
    /** @param {Asked} asked @param {number} start_ms */
    join(asked: Asked, start_ms: number): Promise<void>;
    leave(): void;
    /** The server has said why it is about to close the connection. @param {CallError} reason */
    warn(reason: CallError): void;
    /** Media may flow. Not on the join: a server that lets everybody in and then brings no media up would be joined without a pause. */
    secured(): void;
    /** The PeerConnection is another one: what is measured of the old one says nothing. */
    replaced(): void;
    /**
     * Something is wrong, or may be: the WebSocket is asked for a sign of life, and a media path that does not come back by
     * itself is restarted over it.
     */
    doubt(): void;
    #private;
}
export type CallState = "idle" | "joining" | "waiting" | "joined" | "reconnecting" | "left" | "failed";
export type ConnectionHooks = {
    state: (state: CallState) => void;
    reachable: (reachable: boolean) => void;
    /**
     * before the media path is up
     */
    joined: (joined: Joined) => void;
    /**
     * likewise
     */
    resumed: (resumed: Resumed) => void;
    /**
     * what was kept waiting can be said
     */
    entered: (link: Link) => void;
    /**
     * nothing of the session is left
     */
    cleared: () => void;
    /**
     * that is no answer
     */
    message: (message: ServerMessage) => void;
    /**
     * the end, against our will
     */
    failed: (error: CallError) => void;
    stages: (stages: Stages) => void;
    views: () => readonly SlotView[];
    history: () => HistoryFrom;
};
import type { Asked } from './hold.js';
import { CallError } from './errors.js';
import type { Stages } from './wire.js';
import { Link } from './link.js';
import type { ClientMessage } from './wire.js';
import type { MediaPath } from './path.js';
import type { Joined } from './wire.js';
import type { Resumed } from './wire.js';
import type { ServerMessage } from './wire.js';
import type { SlotView } from './view.js';
import type { HistoryFrom } from './wire.js';
