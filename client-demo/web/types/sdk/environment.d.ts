/**
 * @typedef {object} Environment
 * @property {boolean} webrtc    calls are possible at all
 * @property {boolean} capture   camera and microphone can be asked for
 * @property {boolean} insecure  they cannot, because the page came over plain HTTP from another host
 * @property {boolean} screen    the screen can be shared
 * @property {boolean} encryption   calls can be encrypted end to end
 */
/** @param {any} [scope] the window; a test gives another @returns {Environment} */
export function checkEnvironment(scope?: any): Environment;
export type Environment = {
    /**
     * calls are possible at all
     */
    webrtc: boolean;
    /**
     * camera and microphone can be asked for
     */
    capture: boolean;
    /**
     * they cannot, because the page came over plain HTTP from another host
     */
    insecure: boolean;
    /**
     * the screen can be shared
     */
    screen: boolean;
    /**
     * calls can be encrypted end to end
     */
    encryption: boolean;
};
