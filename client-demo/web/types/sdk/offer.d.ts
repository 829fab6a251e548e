/** @param {string} sdp of `createOffer`, all of whose m-lines share one transport @returns {string} */
export function shortened(sdp: string): string;
