export class Room {
    /** @param {<Name extends keyof CallEvents>(name: Name, detail: CallEvents[Name]) => void} emit */
    constructor(emit: <Name extends keyof CallEvents>(name: Name, detail: CallEvents[Name]) => void);
    get participants(): ParticipantInfo[];
    get speakers(): string[];
    get self(): string | null;
    get grants(): Grants | null;
    get setting(): Setting;
    get role(): Role | null;
    get group(): string | null;
    get waiting(): readonly Member[];
    get groups(): readonly Group[];
    /** @param {string | undefined} key @param {string | null} participant null: of the room */
    attribute(key: string | undefined, participant: string | null): attributes.Kept | null;
    /** @param {Joined} joined */
    begin({ participant, participants, attributes }: Joined): void;
    /** What has changed while we were away. @param {Resumed} resumed */
    catchUp({ participants, attributes, group }: Resumed): void;
    /** Nobody has come or gone: we have. @param {Moved} moved */
    move({ participants, attributes, group, locked, waiting, publish, spotlight }: Moved): void;
    /** @param {Grants} grants @param {Role | null} role */
    permit(grants: Grants, role: Role | null): void;
    /** @param {ServerMessage} message @returns {boolean} false: it is not about who is here */
    receive(message: ServerMessage): boolean;
    clear(): void;
    #private;
}
export type Setting = {
    /**
     * nobody but moderators comes in
     */
    locked: boolean;
    /**
     * who comes in waits until a moderator says so
     */
    waiting: boolean;
    /**
     * what people may publish who do not moderate, of what they are granted
     */
    publish: Source[];
    /**
     * whom everybody should look at
     */
    spotlight: string | null;
};
import type { ParticipantInfo } from './wire.js';
import type { Grants } from './wire.js';
import type { Role } from './wire.js';
import type { Member } from './wire.js';
import type { Group } from './wire.js';
import * as attributes from './attributes.js';
import type { Joined } from './wire.js';
import type { Resumed } from './wire.js';
import type { Moved } from './wire.js';
import type { ServerMessage } from './wire.js';
import type { CallEvents } from './call.js';
import type { Source } from './wire.js';
