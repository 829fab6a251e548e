/** Whether another tab of this browser is in a call: two loudspeakers beside two microphones howl. */
/** @typedef {{type: 'ask' | 'here' | 'gone', tab: string}} TabMessage */
export class OtherTabs {
    /** Some other tab is in a call now. */
    get inCall(): boolean;
    enter(): void;
    leave(): void;
    #private;
}
export type TabMessage = {
    type: "ask" | "here" | "gone";
    tab: string;
};
