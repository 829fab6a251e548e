/** How loud a track is, for a meter. */

/**
 * @param {MediaStreamTrack} track
 * @param {(level: number) => void} show 0..1, about 15 times a second
 * @returns {() => void} ends it
 */
export function watchLevel(track, show) {
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 1024 });
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    // -60 dB is silence, -10 dB is as loud as speech gets.
    show(Math.min(1, Math.max(0, (10 * Math.log10(power + 1e-12) + 60) / 50)));
  }, 66);
  return () => {
    clearInterval(timer);
    void context.close();
  };
}
