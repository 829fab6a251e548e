export function goesOn(state: RingState): state is "ringing" | "accepted";
/** One call, from this side. @extends {Emitter<{state: RingState}>} */
export class Ring extends Emitter<{
    state: RingState;
}> {
    /** @param {Phone} phone @param {CallInfo} info */
    constructor(phone: Phone, info: CallInfo);
    get id(): string;
    get role(): "callee" | "caller";
    /** Identity of the other one. */
    get other(): string;
    /** What they go by. */
    get name(): string;
    /** Where the two meet, and what opens it: give both to `Call.join`. */
    get room(): string;
    get token(): string;
    get state(): RingState;
    /** @throws {CallError} `unknown_call` where it is over already */
    accept(): Promise<void>;
    reject(): Promise<void>;
    /** Gives up while it rings, hangs up afterwards. */
    end(): Promise<void>;
    /** For the phone. @param {RingState} state */
    become(state: RingState): void;
    #private;
}
/**
 * @typedef {object} PhoneEvents
 * @property {'connecting' | 'ready' | 'lost' | 'closed'} state
 * @property {Ring} incoming   somebody calls
 * @property {CallError} error   it cannot be registered, and does not try again
 */
/** @extends {Emitter<PhoneEvents>} */
export class Phone extends Emitter<PhoneEvents> {
    /**
     * @param {{url: string, identity: string, name: string, device?: string, token?: string}} options `url` of the WebSocket; `device`: kept by
     *   this device, so that it is known again; `token`: on a server that asks for one
     */
    constructor(options: {
        url: string;
        identity: string;
        name: string;
        device?: string;
        token?: string;
    });
    get state(): "closed" | "connecting" | "ready" | "lost";
    get identity(): string;
    /** Calls that ring or go on. */
    get rings(): Ring[];
    /** @param {string} to identity @param {{room?: string}} [options] `room`: the one we talk in, to bring somebody else there @returns {Promise<Ring>} @throws {CallError} */
    invite(to: string, { room }?: {
        room?: string;
    }): Promise<Ring>;
    close(): void;
    /** For `Ring`. @param {Ring} ring @param {'accept' | 'reject' | 'end'} act */
    respond(ring: Ring, act: "accept" | "reject" | "end"): Promise<void>;
    #private;
}
export type PhoneEvents = {
    state: "connecting" | "ready" | "lost" | "closed";
    /**
     * somebody calls
     */
    incoming: Ring;
    /**
     * it cannot be registered, and does not try again
     */
    error: CallError;
};
import type { RingState } from './wire.js';
import { Emitter } from './events.js';
import type { CallInfo } from './wire.js';
import { CallError } from './errors.js';
