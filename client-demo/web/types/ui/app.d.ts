/**
 * @typedef {object} AppEvents
 * @property {{room: string, title: string, ring: Ring | null}} joined
 * @property {{reason: CallError | null}} left   null: of our own will
 */
/** @extends {Emitter<AppEvents>} */
export class App extends Emitter<AppEvents> {
    /**
     * @param {Surface} surface which holds the markup
     * @param {{createCall: (key: string | null) => Call, createPhone?: (identity: string, name: string) => Phone | null, given?: Given, token?: string | null,
     *   key?: string | null, role?: Role | null}} options
     *   where calls come from; `given`: what is known already; `token`: what lets us in; `key`: of encrypted calls; `role`: what to be on a server without tokens
     */
    constructor(surface: Surface, { createCall, createPhone, given, token, key, role }: {
        createCall: (key: string | null) => Call;
        createPhone?: (identity: string, name: string) => Phone | null;
        given?: Given;
        token?: string | null;
        key?: string | null;
        role?: Role | null;
    });
    /** The call that is prepared or goes on. */
    get call(): Call | null;
    /** As a click on Join. */
    join(): Promise<void>;
    leave(): void;
    /** Rings at somebody. @param {string} identity */
    ring(identity: string): Promise<void>;
    /** Another key for this call and those that follow; encrypted or not is settled before a call is joined. @param {string | null} key */
    setKey(key: string | null): Promise<void>;
    /** The interface goes away for good. */
    close(): void;
    #private;
}
export type AppEvents = {
    joined: {
        room: string;
        title: string;
        ring: Ring | null;
    };
    /**
     * null: of our own will
     */
    left: {
        reason: CallError | null;
    };
};
import { Emitter } from '../sdk/index.js';
import type { Call } from '../sdk/index.js';
import type { Surface } from './dom.js';
import type { Phone } from '../sdk/index.js';
import type { Given } from './lobby.js';
import type { Role } from '../sdk/index.js';
import type { Ring } from '../sdk/index.js';
import { CallError } from '../sdk/index.js';
