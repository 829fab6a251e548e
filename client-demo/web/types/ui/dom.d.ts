/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {string} [className] @param {...(Node | string)} children
 */
export function make<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, className?: string, ...children: (Node | string)[]): HTMLElementTagNameMap[Tag];
/** @param {string} name one of the symbols in `markup.js` */
export function icon(name: string): SVGSVGElement;
/** Writes text only where it differs, so that screen readers do not hear it again. @param {Element} element @param {string} text */
export function setText(element: Element, text: string): void;
/** Shows or hides a notice. @param {HTMLElement} element @param {string} text empty: hidden @param {'info' | 'warning' | 'error'} [kind] */
export function notice(element: HTMLElement, text: string, kind?: "info" | "warning" | "error"): void;
/** A button that is on or off, with an icon for each. @param {HTMLElement} button @param {string} name of the icon @param {boolean} on */
export function setPressed(button: HTMLElement, name: string, on: boolean): void;
/** The few things this interface asks of the frame it lives in, which is part of a document or of a shadow root. */
/** @import {Words} from './words/index.js' */
/** A frame that holds the markup, and the language it speaks. */
export class Surface {
    /** @param {HTMLElement} frame @param {Words} words */
    constructor(frame: HTMLElement, words: Words);
    words: {
        locale: string;
        tagline: string;
        close: string;
        you: string;
        yourScreen: string;
        screenOf: (name: string) => string;
        lobby: {
            preview: string;
            cameraOff: string;
            microphone: string;
            camera: string;
            level: string;
            name: string;
            room: string;
            join: string;
            joining: string;
            generated: string;
            connecting: string;
            reachable: string;
            unreachable: string;
            waiting: string;
            stopWaiting: string;
            needName: string;
            needRoom: string;
            device: (device: "camera" | "microphone", n: number) => string;
            noCamera: string;
            noMicrophone: string;
            encrypted: string;
        };
        ring: {
            label: string;
            button: string;
            answer: string;
            decline: string;
            cancel: string;
            calling: string;
            ringing: string;
            incoming: string;
            yourself: string;
            missed: (name: string) => string;
            rejected: (name: string) => string;
            busy: (name: string) => string;
            unanswered: (name: string) => string;
            over: (name: string) => string;
        };
        call: {
            people: string;
            featured: string;
            controls: string;
            microphone: string;
            microphoneShort: string;
            camera: string;
            screen: string;
            speaker: string;
            hand: string;
            more: string;
            leave: string;
            notAllowed: string;
            encrypted: string;
            encryptedTitle: string;
            keyChanged: string;
            keyNeedsLeave: string;
            reconnecting: string;
            waits: string;
            turnOn: string;
            count: (others: number) => string;
            joined: (room: string, count: string) => string;
            back: string;
            arrived: (name: string) => string;
            departed: (name: string) => string;
            pinned: (name: string) => string;
            unpinned: string;
            muted: string;
            stopped: string;
            howl: string;
            blocked: string;
            moved: (group: string) => string;
            recalled: string;
            yourRole: (role: string) => string;
            noScreen: (why: string) => string;
        };
        moderate: {
            menu: string;
            muteAll: string;
            lock: string;
            unlock: string;
            wait: string;
            noWait: string;
            spotlightOwn: string;
            endSpotlight: string;
            of: (name: string) => string;
            mute: string;
            stopVideo: string;
            spotlight: string;
            remove: string;
        };
        people: {
            open: string;
            title: string;
            waiting: string;
            everybody: string;
            show: string;
            admit: string;
            refuse: string;
            admitAll: string;
            wants: (name: string) => string;
            wait: (n: number) => string;
            admitOne: (name: string) => string;
            refuseOne: (name: string) => string;
            roles: {
                teacher: string;
                assistant: string;
                student: string;
                audience: string;
            };
            noRole: string;
            roleOf: (name: string) => string;
            groupOf: (name: string) => string;
            may: string;
            screen: string;
            groups: string;
            count: string;
            make: string;
            shareOut: string;
            recall: string;
            end: string;
            main: string;
            group: (n: number) => string;
            failed: (why: string) => string;
        };
        tile: {
            connecting: string;
            lost: string;
            paused: string;
            pauses: Partial<Record<string, string>>;
            problems: {
                encrypted: string;
                key_differs: string;
                not_encrypted: string;
            };
            notPlayed: (name: string, why: string) => string;
            point: string;
            speaking: string;
            handRaised: string;
            muted: string;
            noPicture: string;
            separator: string;
            pin: (who: string) => string;
            pinTitle: (who: string) => string;
            unpin: (who: string) => string;
        };
        chat: {
            title: string;
            unread: (n: number) => string;
            messages: string;
            send: string;
            sending: string;
            nobody: string;
            placeholder: string;
            notAllowed: string;
            types: (name: string) => string;
            severalType: string;
            notSent: (body: string, why: string) => string;
        };
        quality: {
            title: string;
            connecting: string;
            own: string;
            receiving: string;
            changes: string;
            stages: {
                signaling: string;
                ice: string;
                dtls: string;
                first_packet: string;
                first_audio: string;
                first_frame: string;
            };
            roundTrip: string;
            sending: string;
            lost: (rate: string, pct: string) => string;
            couldSend: string;
            layers: string;
            path: string;
            carries: string;
            unknown: string;
            best: string;
            columns: string[];
            table: string;
            nobody: string;
            nothing: string;
            layerOf: (n: number, temporal: number) => string;
            changed: (from: string, to: string, why: string) => string;
            why: Partial<Record<string, (of: import("./words/en.js").Decided) => string>>;
            layer: (n: number) => string;
            paused: (why: string) => string;
            pauses: {
                hidden: string;
                bandwidth: string;
                last_n: string;
                quiet: string;
            };
            somebody: string;
            seconds: string;
            minutes: string;
        };
        noWebrtc: string;
        errors: Record<string, (because: string) => string>;
        otherError: (because: string, code: string) => string;
        reconnect: {
            mediaLost: string;
            restarting: string;
            alive: string;
            lost: string;
        };
        devices: {
            insecure: string;
            instead: {
                both: string;
                camera: string;
                microphone: string;
            };
            refused: (of: "both" | "camera" | "microphone", instead: string) => string;
            missing: (of: "both" | "camera" | "microphone", instead: string) => string;
            busy: (of: "both" | "camera" | "microphone", instead: string) => string;
            failed: (of: "both" | "camera" | "microphone", instead: string, why: string) => string;
        };
    };
    /**
     * The element with an id; the markup and the code are shipped together, so it is there.
     * @template {HTMLElement} [T=HTMLElement]
     * @param {string} id @param {new () => T} [type]
     * @returns {T}
     */
    find<T extends HTMLElement = HTMLElement>(id: string, type?: new () => T): T;
    /**
     * Menus close by Escape, and by a click beside them.
     * @returns {() => void} ends it
     */
    closeMenus(): () => void;
    #private;
}
import type { Words } from './words/index.js';
