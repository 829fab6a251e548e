/**
 * @typedef {object} LinkEvents
 * @property {ServerMessage} message  that is no answer to a request
 * @property {string} closed          why; the last event of a link
 */
/** One connection. When it is closed it stays closed: make a new one. @extends {Emitter<LinkEvents>} */
export class Link extends Emitter<LinkEvents> {
    /** @param {string} url `wss://host/ws` */
    constructor(url: string);
    get isOpen(): boolean;
    get isClosed(): boolean;
    /** The server answered at some time. */
    get wasOpen(): boolean;
    /** @returns {Promise<void>} rejects with `unreachable` */
    opened(): Promise<void>;
    /** @param {ClientMessage} message lost when the connection is: the state is told again on the next join */
    send(message: ClientMessage): void;
    /**
     * @overload @param {Extract<NewRequest, {type: 'join' | 'hold'}>} message @param {(held: Held) => void} [meanwhile] @returns {Promise<Joined>}
     * @overload @param {Extract<NewRequest, {type: 'resume'}>} message @returns {Promise<Resumed>}
     * @overload @param {Extract<NewRequest, {type: 'register'}>} message @returns {Promise<Registered>}
     * @overload @param {Extract<NewRequest, {type: 'invite'}>} message @returns {Promise<Invited>}
     * @overload @param {Extract<NewRequest, {type: 'respond'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'post'}>} message @returns {Promise<Posted>}
     * @overload @param {Extract<NewRequest, {type: 'moderate'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'set'}>} message @returns {Promise<ValueSet>}
     * @overload @param {Extract<NewRequest, {type: 'offer'}>} message @returns {Promise<Answer>}
     * @overload @param {Extract<NewRequest, {type: 'ping'}>} message @returns {Promise<Pong>}
     * @param {NewRequest} message @param {(message: any) => void} [meanwhile] hears what is not the answer yet @returns {Promise<any>} rejects with the server's error, `gone`, or `broken`
     */
    request(message: Extract<NewRequest, {
        type: "join" | "hold";
    }>, meanwhile?: ((held: Held) => void) | undefined): Promise<Joined>;
    /**
     * @overload @param {Extract<NewRequest, {type: 'join' | 'hold'}>} message @param {(held: Held) => void} [meanwhile] @returns {Promise<Joined>}
     * @overload @param {Extract<NewRequest, {type: 'resume'}>} message @returns {Promise<Resumed>}
     * @overload @param {Extract<NewRequest, {type: 'register'}>} message @returns {Promise<Registered>}
     * @overload @param {Extract<NewRequest, {type: 'invite'}>} message @returns {Promise<Invited>}
     * @overload @param {Extract<NewRequest, {type: 'respond'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'post'}>} message @returns {Promise<Posted>}
     * @overload @param {Extract<NewRequest, {type: 'moderate'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'set'}>} message @returns {Promise<ValueSet>}
     * @overload @param {Extract<NewRequest, {type: 'offer'}>} message @returns {Promise<Answer>}
     * @overload @param {Extract<NewRequest, {type: 'ping'}>} message @returns {Promise<Pong>}
     * @param {NewRequest} message @param {(message: any) => void} [meanwhile] hears what is not the answer yet @returns {Promise<any>} rejects with the server's error, `gone`, or `broken`
     */
    request(message: Extract<NewRequest, {
        type: "resume";
    }>): Promise<Resumed>;
    /**
     * @overload @param {Extract<NewRequest, {type: 'join' | 'hold'}>} message @param {(held: Held) => void} [meanwhile] @returns {Promise<Joined>}
     * @overload @param {Extract<NewRequest, {type: 'resume'}>} message @returns {Promise<Resumed>}
     * @overload @param {Extract<NewRequest, {type: 'register'}>} message @returns {Promise<Registered>}
     * @overload @param {Extract<NewRequest, {type: 'invite'}>} message @returns {Promise<Invited>}
     * @overload @param {Extract<NewRequest, {type: 'respond'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'post'}>} message @returns {Promise<Posted>}
     * @overload @param {Extract<NewRequest, {type: 'moderate'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'set'}>} message @returns {Promise<ValueSet>}
     * @overload @param {Extract<NewRequest, {type: 'offer'}>} message @returns {Promise<Answer>}
     * @overload @param {Extract<NewRequest, {type: 'ping'}>} message @returns {Promise<Pong>}
     * @param {NewRequest} message @param {(message: any) => void} [meanwhile] hears what is not the answer yet @returns {Promise<any>} rejects with the server's error, `gone`, or `broken`
     */
    request(message: Extract<NewRequest, {
        type: "register";
    }>): Promise<Registered>;
    /**
     * @overload @param {Extract<NewRequest, {type: 'join' | 'hold'}>} message @param {(held: Held) => void} [meanwhile] @returns {Promise<Joined>}
     * @overload @param {Extract<NewRequest, {type: 'resume'}>} message @returns {Promise<Resumed>}
     * @overload @param {Extract<NewRequest, {type: 'register'}>} message @returns {Promise<Registered>}
     * @overload @param {Extract<NewRequest, {type: 'invite'}>} message @returns {Promise<Invited>}
     * @overload @param {Extract<NewRequest, {type: 'respond'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'post'}>} message @returns {Promise<Posted>}
     * @overload @param {Extract<NewRequest, {type: 'moderate'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'set'}>} message @returns {Promise<ValueSet>}
     * @overload @param {Extract<NewRequest, {type: 'offer'}>} message @returns {Promise<Answer>}
     * @overload @param {Extract<NewRequest, {type: 'ping'}>} message @returns {Promise<Pong>}
     * @param {NewRequest} message @param {(message: any) => void} [meanwhile] hears what is not the answer yet @returns {Promise<any>} rejects with the server's error, `gone`, or `broken`
     */
    request(message: Extract<NewRequest, {
        type: "invite";
    }>): Promise<Invited>;
    /**
     * @overload @param {Extract<NewRequest, {type: 'join' | 'hold'}>} message @param {(held: Held) => void} [meanwhile] @returns {Promise<Joined>}
     * @overload @param {Extract<NewRequest, {type: 'resume'}>} message @returns {Promise<Resumed>}
     * @overload @param {Extract<NewRequest, {type: 'register'}>} message @returns {Promise<Registered>}
     * @overload @param {Extract<NewRequest, {type: 'invite'}>} message @returns {Promise<Invited>}
     * @overload @param {Extract<NewRequest, {type: 'respond'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'post'}>} message @returns {Promise<Posted>}
     * @overload @param {Extract<NewRequest, {type: 'moderate'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'set'}>} message @returns {Promise<ValueSet>}
     * @overload @param {Extract<NewRequest, {type: 'offer'}>} message @returns {Promise<Answer>}
     * @overload @param {Extract<NewRequest, {type: 'ping'}>} message @returns {Promise<Pong>}
     * @param {NewRequest} message @param {(message: any) => void} [meanwhile] hears what is not the answer yet @returns {Promise<any>} rejects with the server's error, `gone`, or `broken`
     */
    request(message: Extract<NewRequest, {
        type: "respond";
    }>): Promise<Done>;
    /**
     * @overload @param {Extract<NewRequest, {type: 'join' | 'hold'}>} message @param {(held: Held) => void} [meanwhile] @returns {Promise<Joined>}
     * @overload @param {Extract<NewRequest, {type: 'resume'}>} message @returns {Promise<Resumed>}
     * @overload @param {Extract<NewRequest, {type: 'register'}>} message @returns {Promise<Registered>}
     * @overload @param {Extract<NewRequest, {type: 'invite'}>} message @returns {Promise<Invited>}
     * @overload @param {Extract<NewRequest, {type: 'respond'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'post'}>} message @returns {Promise<Posted>}
     * @overload @param {Extract<NewRequest, {type: 'moderate'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'set'}>} message @returns {Promise<ValueSet>}
     * @overload @param {Extract<NewRequest, {type: 'offer'}>} message @returns {Promise<Answer>}
     * @overload @param {Extract<NewRequest, {type: 'ping'}>} message @returns {Promise<Pong>}
     * @param {NewRequest} message @param {(message: any) => void} [meanwhile] hears what is not the answer yet @returns {Promise<any>} rejects with the server's error, `gone`, or `broken`
     */
    request(message: Extract<NewRequest, {
        type: "post";
    }>): Promise<Posted>;
    /**
     * @overload @param {Extract<NewRequest, {type: 'join' | 'hold'}>} message @param {(held: Held) => void} [meanwhile] @returns {Promise<Joined>}
     * @overload @param {Extract<NewRequest, {type: 'resume'}>} message @returns {Promise<Resumed>}
     * @overload @param {Extract<NewRequest, {type: 'register'}>} message @returns {Promise<Registered>}
     * @overload @param {Extract<NewRequest, {type: 'invite'}>} message @returns {Promise<Invited>}
     * @overload @param {Extract<NewRequest, {type: 'respond'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'post'}>} message @returns {Promise<Posted>}
     * @overload @param {Extract<NewRequest, {type: 'moderate'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'set'}>} message @returns {Promise<ValueSet>}
     * @overload @param {Extract<NewRequest, {type: 'offer'}>} message @returns {Promise<Answer>}
     * @overload @param {Extract<NewRequest, {type: 'ping'}>} message @returns {Promise<Pong>}
     * @param {NewRequest} message @param {(message: any) => void} [meanwhile] hears what is not the answer yet @returns {Promise<any>} rejects with the server's error, `gone`, or `broken`
     */
    request(message: Extract<NewRequest, {
        type: "moderate";
    }>): Promise<Done>;
    /**
     * @overload @param {Extract<NewRequest, {type: 'join' | 'hold'}>} message @param {(held: Held) => void} [meanwhile] @returns {Promise<Joined>}
     * @overload @param {Extract<NewRequest, {type: 'resume'}>} message @returns {Promise<Resumed>}
     * @overload @param {Extract<NewRequest, {type: 'register'}>} message @returns {Promise<Registered>}
     * @overload @param {Extract<NewRequest, {type: 'invite'}>} message @returns {Promise<Invited>}
     * @overload @param {Extract<NewRequest, {type: 'respond'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'post'}>} message @returns {Promise<Posted>}
     * @overload @param {Extract<NewRequest, {type: 'moderate'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'set'}>} message @returns {Promise<ValueSet>}
     * @overload @param {Extract<NewRequest, {type: 'offer'}>} message @returns {Promise<Answer>}
     * @overload @param {Extract<NewRequest, {type: 'ping'}>} message @returns {Promise<Pong>}
     * @param {NewRequest} message @param {(message: any) => void} [meanwhile] hears what is not the answer yet @returns {Promise<any>} rejects with the server's error, `gone`, or `broken`
     */
    request(message: Extract<NewRequest, {
        type: "set";
    }>): Promise<ValueSet>;
    /**
     * @overload @param {Extract<NewRequest, {type: 'join' | 'hold'}>} message @param {(held: Held) => void} [meanwhile] @returns {Promise<Joined>}
     * @overload @param {Extract<NewRequest, {type: 'resume'}>} message @returns {Promise<Resumed>}
     * @overload @param {Extract<NewRequest, {type: 'register'}>} message @returns {Promise<Registered>}
     * @overload @param {Extract<NewRequest, {type: 'invite'}>} message @returns {Promise<Invited>}
     * @overload @param {Extract<NewRequest, {type: 'respond'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'post'}>} message @returns {Promise<Posted>}
     * @overload @param {Extract<NewRequest, {type: 'moderate'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'set'}>} message @returns {Promise<ValueSet>}
     * @overload @param {Extract<NewRequest, {type: 'offer'}>} message @returns {Promise<Answer>}
     * @overload @param {Extract<NewRequest, {type: 'ping'}>} message @returns {Promise<Pong>}
     * @param {NewRequest} message @param {(message: any) => void} [meanwhile] hears what is not the answer yet @returns {Promise<any>} rejects with the server's error, `gone`, or `broken`
     */
    request(message: Extract<NewRequest, {
        type: "offer";
    }>): Promise<Answer>;
    /**
     * @overload @param {Extract<NewRequest, {type: 'join' | 'hold'}>} message @param {(held: Held) => void} [meanwhile] @returns {Promise<Joined>}
     * @overload @param {Extract<NewRequest, {type: 'resume'}>} message @returns {Promise<Resumed>}
     * @overload @param {Extract<NewRequest, {type: 'register'}>} message @returns {Promise<Registered>}
     * @overload @param {Extract<NewRequest, {type: 'invite'}>} message @returns {Promise<Invited>}
     * @overload @param {Extract<NewRequest, {type: 'respond'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'post'}>} message @returns {Promise<Posted>}
     * @overload @param {Extract<NewRequest, {type: 'moderate'}>} message @returns {Promise<Done>}
     * @overload @param {Extract<NewRequest, {type: 'set'}>} message @returns {Promise<ValueSet>}
     * @overload @param {Extract<NewRequest, {type: 'offer'}>} message @returns {Promise<Answer>}
     * @overload @param {Extract<NewRequest, {type: 'ping'}>} message @returns {Promise<Pong>}
     * @param {NewRequest} message @param {(message: any) => void} [meanwhile] hears what is not the answer yet @returns {Promise<any>} rejects with the server's error, `gone`, or `broken`
     */
    request(message: Extract<NewRequest, {
        type: "ping";
    }>): Promise<Pong>;
    /** Now: what `hold` has asked for. Its answer has to come like any other. */
    enter(): void;
    /** Whether the connection is alive: it is closed if no answer comes in time. @param {number} within_ms */
    probe(within_ms: number): Promise<void>;
    /** The call is over: the server need not wait for us. */
    finish(): void;
    /** @param {string} [why] */
    close(why?: string): void;
    #private;
}
export type Request = Extract<ClientMessage, {
    id: number;
}>;
/**
 * Without its id, which the link chooses.
 */
export type NewRequest = Request extends infer R ? R extends Request ? Omit<R, "id"> : never : never;
export type LinkEvents = {
    /**
     * that is no answer to a request
     */
    message: ServerMessage;
    /**
     * why; the last event of a link
     */
    closed: string;
};
import { Emitter } from './events.js';
import type { ClientMessage } from './wire.js';
import type { Held } from './wire.js';
import type { Joined } from './wire.js';
import type { Resumed } from './wire.js';
import type { Registered } from './wire.js';
import type { Invited } from './wire.js';
import type { Done } from './wire.js';
import type { Posted } from './wire.js';
import type { ValueSet } from './wire.js';
import type { Answer } from './wire.js';
import type { Pong } from './wire.js';
import type { ServerMessage } from './wire.js';
