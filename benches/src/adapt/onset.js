/** Tells when a tone of 4 kHz begins: the energy of each block of 128 samples at that frequency (Goertzel). */
class Onset extends AudioWorkletProcessor {
  #quiet = 0;

  process([input]) {
    const samples = input[0];
    if (!samples) return true;
    const step = 2 * Math.cos((2 * Math.PI * 4000) / sampleRate);
    let [before, last] = [0, 0];
    for (const sample of samples) [before, last] = [last, sample + step * last - before];
    const power = (before * before + last * last - step * before * last) / (samples.length * samples.length);
    const loud = power > 4e-4;
    // A pause first, so that one tone is one onset even if concealment tears it.
    if (loud && this.#quiet > 100) this.port.postMessage(currentTime);
    this.#quiet = loud ? 0 : this.#quiet + 1;
    return true;
  }
}
registerProcessor('onset', Onset);
