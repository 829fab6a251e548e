/** Typed events: a map from names to what their listeners are given. */
/** @template {object} Events */
export class Emitter<Events extends object> {
    /**
     * @template {keyof Events} Name
     * @param {Name} name @param {(detail: Events[Name]) => void} listener
     * @returns {() => void} ends the listening
     */
    on<Name extends keyof Events>(name: Name, listener: (detail: Events[Name]) => void): () => void;
    /**
     * A listener that throws does not keep the others from hearing.
     * @template {keyof Events} Name
     * @param {Name} name @param {Events[Name]} detail
     */
    emit<Name extends keyof Events>(name: Name, detail: Events[Name]): void;
    #private;
}
