/** Writes down what is said (first input) and what is heard (second), sample by sample on one clock. */
class Tap extends AudioWorkletProcessor {
  #blocks = [[], []];
  #from = currentFrame;

  process(inputs) {
    inputs.forEach((input, which) => {
      const block = new Int16Array(128);
      for (const channel of input.slice(0, 1)) channel.forEach((sample, at) => (block[at] = Math.max(-1, Math.min(1, sample)) * 32767));
      this.#blocks[which].push(block);
    });
    if (this.#blocks[0].length === 125) {
      const joined = this.#blocks.map((blocks) => {
        const all = new Int16Array(blocks.length * 128);
        blocks.forEach((block, at) => all.set(block, at * 128));
        return all;
      });
      this.port.postMessage({ from: this.#from, said: joined[0], heard: joined[1] });
      this.#blocks = [[], []];
      this.#from = currentFrame + 128;
    }
    return true;
  }
}
registerProcessor('tap', Tap);
