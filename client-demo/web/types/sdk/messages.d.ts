/** @extends {Emitter<MessageEvents>} */
export class MessageLog extends Emitter<MessageEvents> {
    constructor();
    /** Everything that was said, as far as it is kept here, oldest first. @returns {readonly Message[]} */
    get list(): readonly Message[];
    /** What was said here and is not stored yet, oldest first. @returns {readonly Draft[]} */
    get waiting(): readonly Draft[];
    /**
     * Says something. While the connection is lost it waits, and goes out when it is back.
     * @param {string} topic `chat`, or what the application likes @param {string} body
     * @returns {Promise<number>} its number, once it is stored
     * @throws {CallError} `not_allowed`, `bad_post`, `not_stored`: then nobody has seen it
     */
    post(topic: string, body: string): Promise<number>;
    /** Told to whoever is there, kept nowhere; lost while there is no connection. @param {string} key @param {string} value */
    setState(key: string, value: string): void;
    /** What to ask for when joining or coming back. @returns {HistoryFrom} */
    get from(): HistoryFrom;
    /** Which room we are in. Whatever was written before we were in any is for this one. @param {string} room */
    enter(room: string): void;
    /** We were moved: what was said in the other room is asked for. @param {string} room */
    move(room: string): void;
    /** We are in the room. @param {Link} link */
    attach(link: Link): void;
    /** @param {Batch} batch */
    receive({ log, messages }: Batch): void;
    /** The call is over: what waits will not be said. */
    close(): void;
    #private;
}
/**
 * Said here, and not stored yet.
 */
export type Draft = {
    key: string;
    topic: string;
    body: string;
};
export type MessageEvents = {
    /**
     * somebody said something; in order, each once
     */
    message: Message;
    /**
     * the list or what waits has changed
     */
    changed: void;
    /**
     * what somebody says is true of them now
     */
    state: {
        participant: string;
        key: string;
        value: string;
    };
};
/**
 * Of one room; without an id nothing was heard yet.
 */
export type Log = {
    id: string;
    seq: number;
    list: Message[];
};
import { Emitter } from './events.js';
import type { Message } from './wire.js';
import type { HistoryFrom } from './wire.js';
import type { Link } from './link.js';
import type { Messages as Batch } from './wire.js';
