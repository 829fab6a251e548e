export namespace en {
    export let locale: string;
    export let tagline: string;
    export let close: string;
    export let you: string;
    export let yourScreen: string;
    export function screenOf(name: string): string;
    export namespace lobby {
        let preview: string;
        let cameraOff: string;
        let microphone: string;
        let camera: string;
        let level: string;
        let name: string;
        let room: string;
        let join: string;
        let joining: string;
        let generated: string;
        let connecting: string;
        let reachable: string;
        let unreachable: string;
        let waiting: string;
        let stopWaiting: string;
        let needName: string;
        let needRoom: string;
        function device(device: "camera" | "microphone", n: number): string;
        let noCamera: string;
        let noMicrophone: string;
        let encrypted: string;
    }
    export namespace ring {
        let label: string;
        let button: string;
        let answer: string;
        let decline: string;
        let cancel: string;
        let calling: string;
        let ringing: string;
        let incoming: string;
        let yourself: string;
        function missed(name: string): string;
        function rejected(name: string): string;
        function busy(name: string): string;
        function unanswered(name: string): string;
        function over(name: string): string;
    }
    export namespace call {
        export let people: string;
        export let featured: string;
        export let controls: string;
        let microphone_1: string;
        export { microphone_1 as microphone };
        export let microphoneShort: string;
        let camera_1: string;
        export { camera_1 as camera };
        export let screen: string;
        export let speaker: string;
        export let hand: string;
        export let more: string;
        export let leave: string;
        export let notAllowed: string;
        let encrypted_1: string;
        export { encrypted_1 as encrypted };
        export let encryptedTitle: string;
        export let keyChanged: string;
        export let keyNeedsLeave: string;
        export let reconnecting: string;
        export let waits: string;
        export let turnOn: string;
        export function count(others: number): string;
        export function joined(room: string, count: string): string;
        export let back: string;
        export function arrived(name: string): string;
        export function departed(name: string): string;
        export function pinned(name: string): string;
        export let unpinned: string;
        export let muted: string;
        export let stopped: string;
        export let howl: string;
        export let blocked: string;
        export function moved(group: string): string;
        export let recalled: string;
        export function yourRole(role: string): string;
        export function noScreen(why: string): string;
    }
    export namespace moderate {
        let menu: string;
        let muteAll: string;
        let lock: string;
        let unlock: string;
        let wait: string;
        let noWait: string;
        let spotlightOwn: string;
        let endSpotlight: string;
        function of(name: string): string;
        let mute: string;
        let stopVideo: string;
        let spotlight: string;
        let remove: string;
    }
    export namespace people_1 {
        export let open: string;
        export let title: string;
        let waiting_1: string;
        export { waiting_1 as waiting };
        export let everybody: string;
        export let show: string;
        export let admit: string;
        export let refuse: string;
        export let admitAll: string;
        export function wants(name: string): string;
        export function wait_1(n: number): string;
        export { wait_1 as wait };
        export function admitOne(name: string): string;
        export function refuseOne(name: string): string;
        export namespace roles {
            let teacher: string;
            let assistant: string;
            let student: string;
            let audience: string;
        }
        export let noRole: string;
        export function roleOf(name: string): string;
        export function groupOf(name: string): string;
        export let may: string;
        let screen_1: string;
        export { screen_1 as screen };
        export let groups: string;
        let count_1: string;
        export { count_1 as count };
        export let make: string;
        export let shareOut: string;
        export let recall: string;
        export let end: string;
        export let main: string;
        export function group(n: number): string;
        export function failed(why: string): string;
    }
    export { people_1 as people };
    export namespace tile {
        let connecting_1: string;
        export { connecting_1 as connecting };
        export let lost: string;
        export let paused: string;
        export let pauses: Partial<Record<string, string>>;
        export namespace problems {
            let encrypted_2: string;
            export { encrypted_2 as encrypted };
            export let key_differs: string;
            export let not_encrypted: string;
        }
        export function notPlayed(name: string, why: string): string;
        export let point: string;
        export let speaking: string;
        export let handRaised: string;
        let muted_1: string;
        export { muted_1 as muted };
        export let noPicture: string;
        export let separator: string;
        export function pin(who: string): string;
        export function pinTitle(who: string): string;
        export function unpin(who: string): string;
    }
    export namespace chat {
        let title_1: string;
        export { title_1 as title };
        export function unread(n: number): string;
        export let messages: string;
        export let send: string;
        export let sending: string;
        export let nobody: string;
        export let placeholder: string;
        let notAllowed_1: string;
        export { notAllowed_1 as notAllowed };
        export function types(name: string): string;
        export let severalType: string;
        export function notSent(body: string, why: string): string;
    }
    export namespace quality {
        let title_2: string;
        export { title_2 as title };
        let connecting_2: string;
        export { connecting_2 as connecting };
        export let own: string;
        export let receiving: string;
        export let changes: string;
        export namespace stages {
            let signaling: string;
            let ice: string;
            let dtls: string;
            let first_packet: string;
            let first_audio: string;
            let first_frame: string;
        }
        export let roundTrip: string;
        let sending_1: string;
        export { sending_1 as sending };
        export function lost_1(rate: string, pct: string): string;
        export { lost_1 as lost };
        export let couldSend: string;
        export let layers: string;
        export let path: string;
        export let carries: string;
        export let unknown: string;
        export let best: string;
        export let columns: string[];
        export let table: string;
        let nobody_1: string;
        export { nobody_1 as nobody };
        export let nothing: string;
        export function layerOf(n: number, temporal: number): string;
        export function changed(from: string, to: string, why: string): string;
        export let why: Partial<Record<string, (of: Decided) => string>>;
        export function layer(n: number): string;
        export function paused_1(why: string): string;
        export { paused_1 as paused };
        export namespace pauses_1 {
            let hidden: string;
            let bandwidth: string;
            let last_n: string;
            let quiet: string;
        }
        export { pauses_1 as pauses };
        export let somebody: string;
        export let seconds: string;
        export let minutes: string;
    }
    export { NO_WEBRTC as noWebrtc };
    export let errors: Record<string, (because: string) => string>;
    export function otherError(because: string, code: string): string;
    export namespace reconnect {
        export let mediaLost: string;
        export let restarting: string;
        export let alive: string;
        let lost_2: string;
        export { lost_2 as lost };
    }
    export namespace devices {
        export let insecure: string;
        export namespace instead {
            export let both: string;
            let camera_2: string;
            export { camera_2 as camera };
            let microphone_2: string;
            export { microphone_2 as microphone };
        }
        export function refused(of: "both" | "camera" | "microphone", instead: string): string;
        export function missing(of: "both" | "camera" | "microphone", instead: string): string;
        export function busy_1(of: "both" | "camera" | "microphone", instead: string): string;
        export { busy_1 as busy };
        export function failed_1(of: "both" | "camera" | "microphone", instead: string, why: string): string;
        export { failed_1 as failed };
    }
}
export type Decided = import("../../sdk/index.js").Decision & {
    paused: string | null;
};
/** Everything that a person reads, in English: the table that other languages are checked against. */
declare const NO_WEBRTC: "This browser cannot make calls: it has no WebRTC. A current Firefox, Chrome, Edge or Safari can.";
export {};
