export class ConnectMeter {
    /**
     * @param {Peer} peer @param {number} start_ms when the click happened
     * @param {{views: () => readonly SlotView[], told: (stages: Stages) => void, done: (stages: Stages) => void}} hooks `told`: one more stage;
     *   `done`: the last of them, or it took too long
     */
    constructor(peer: Peer, start_ms: number, { views, told, done }: {
        views: () => readonly SlotView[];
        told: (stages: Stages) => void;
        done: (stages: Stages) => void;
    });
    /** @param {Stage} stage @param {number} at_ms */
    reach(stage: Stage, at_ms: number): void;
    stop(): void;
    #private;
}
import type { Stage } from './stages.js';
import type { Peer } from './peer.js';
import type { SlotView } from './view.js';
import type { Stages } from './wire.js';
