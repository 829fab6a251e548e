export class KeyRing {
    /** Seals with this from now on, and still opens what was sealed with the one before. @param {Uint8Array} base */
    use(base: Uint8Array): void;
    /** Waits for the first key. @param {Uint8Array} metadata @param {Uint8Array} plaintext @returns {Promise<Uint8Array>} an SFrame object */
    seal(metadata: Uint8Array, plaintext: Uint8Array): Promise<Uint8Array>;
    /** Waits for the first key. @param {Uint8Array} metadata @param {Uint8Array} bytes @returns {Promise<Uint8Array | null>} null: no key of ours fits */
    open(metadata: Uint8Array, bytes: Uint8Array): Promise<Uint8Array | null>;
    #private;
}
