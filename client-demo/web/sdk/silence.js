/**
 * A track without a sound. Whoever has nothing of their own to send says with its packets that they are there: those of UDP come
 * through where a word over TCP is lost and has to wait.
 */
export class Silence {
  #context = new AudioContext();
  /** @type {MediaStreamTrack} */ track;

  constructor() {
    const destination = this.#context.createMediaStreamDestination();
    const source = this.#context.createConstantSource();
    source.offset.value = 0;
    source.connect(destination);
    source.start();
    this.track = /** @type {MediaStreamTrack} */ (destination.stream.getAudioTracks()[0]);
    this.#context.resume().catch(() => {}); // Not allowed without a click: then TCP alone has to do.
  }

  stop() {
    this.track.stop();
    this.#context.close().catch(() => {});
  }
}
