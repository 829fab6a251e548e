/** @import {Call} from '../sdk/index.js' */
/** @typedef {'camera' | 'microphone'} Device */
/** @typedef {{track: MediaStreamTrack, stop: () => void, generated: boolean}} Feed */
/** @extends {Emitter<{changed: void}>} */
export class LocalMedia extends Emitter<{
    changed: void;
}> {
    constructor();
    /** @param {Device} device */
    isOn(device: Device): boolean;
    /** @param {Device} device why there is no such device; null: there is */
    problem(device: Device): MediaProblem | null;
    /** @param {Device} device @returns {MediaStreamTrack | null} null while it is off, or not opened yet */
    track(device: Device): MediaStreamTrack | null;
    /** @param {Device} device */
    isGenerated(device: Device): boolean;
    /** @param {Device} device @returns {string} id of the device in use; empty when generated or off */
    deviceId(device: Device): string;
    /** The name that the generated picture and tone take their colour and pitch from. @param {string} name */
    rename(name: string): void;
    /** Asks for both devices at once. */
    start(): Promise<unknown>;
    /** From now on the tracks are this call's. @param {Call | null} call */
    use(call: Call | null): void;
    /** Lets go of both devices. */
    close(): Promise<unknown>;
    /** @param {Device} device @param {boolean} on */
    set(device: Device, on: boolean): Promise<unknown> | undefined;
    /** @param {Device} device @param {string} deviceId */
    choose(device: Device, deviceId: string): Promise<unknown> | undefined;
    #private;
}
export type Device = "camera" | "microphone";
export type Feed = {
    track: MediaStreamTrack;
    stop: () => void;
    generated: boolean;
};
import { Emitter } from '../sdk/index.js';
import { MediaProblem } from '../sdk/index.js';
import type { Call } from '../sdk/index.js';
