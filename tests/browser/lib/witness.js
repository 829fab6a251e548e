/**
 * Performers and a witness, on the SDK itself. A performer sends a colour of its own and, once a second, a flash and a
 * beep at the same instant. The witness looks at every frame that a slot shows as somebody's, and measures how far each
 * beep is from its flash. The functions run in pages; they are handed over as source text, so each stands alone.
 */

/** Far apart on the circle of hues, so that no codec mistakes one for another. */
export const HUES = [0, 60, 120, 180, 240, 300];

/** In a page: `startPerformer` and `stopPerformer`. */
export async function installPerformers() {
  const { Call } = await import('/sdk/index.js');
  const performers = new Map();
  const audio = new AudioContext();
  window.startPerformer = async ({ room, name, hue, width = 960, fps = 20 }) => {
    const [half, height] = [width / 2, (width * 9) / 16];
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const picture = canvas.getContext('2d', { alpha: false });
    const level = new GainNode(audio, { gain: 0 });
    const tone = new OscillatorNode(audio, { frequency: 880 });
    const out = audio.createMediaStreamDestination();
    tone.connect(level).connect(out);
    tone.start();
    const draw = () => {
      const on = performance.now() % 1000 < 250;
      picture.fillStyle = `hsl(${hue} 100% 50%)`;
      picture.fillRect(0, 0, half, height);
      picture.fillStyle = on ? '#fff' : '#000';
      picture.fillRect(half, 0, half, height);
      level.gain.value = on ? 0.5 : 0;
    };
    draw();
    const timer = setInterval(draw, 1000 / fps);
    const call = new Call({ url: `ws://${location.host}/ws` });
    await call.publish('camera', canvas.captureStream(fps).getVideoTracks()[0]);
    await call.publish('microphone', out.stream.getAudioTracks()[0]);
    await call.join({ room, name });
    performers.set(name, () => {
      clearInterval(timer);
      tone.stop();
      call.leave();
    });
  };
  window.stopPerformer = (name) => performers.get(name)?.();
}

/** In a page: joins and watches; `window.report()` says what was seen so far. */
export async function installWitness({ room, hues }) {
  const { Call } = await import('/sdk/index.js');
  const audio = new AudioContext();
  const call = new Call({ url: `ws://${location.host}/ws`, slots: 4 });
  const canvas = Object.assign(document.createElement('canvas'), { width: 16, height: 9 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  /** by name: frames looked at while shown, those in somebody else's colour, the slot, and beep minus flash in ms */
  const seen = {};
  const nameOf = (view) => call.participants.find((one) => one.id === view.participant)?.name;
  const entry = (view) => {
    const name = nameOf(view);
    return name === undefined ? null : (seen[name] ??= { looked: 0, wrong: [], mid: view.slot.mids.video, offsets: [] });
  };

  /** The colour on the left, and how bright it is on the right. */
  const look = (video) => {
    context.drawImage(video, 0, 0, 16, 9);
    const at = (x) => [...context.getImageData(x, 4, 1, 1).data];
    const [r, g, b] = at(3);
    const [high, low] = [Math.max(r, g, b), Math.min(r, g, b)];
    const span = high - low || 1;
    const hue = high === r ? ((g - b) / span + 6) % 6 : high === g ? (b - r) / span + 2 : (r - g) / span + 4;
    return { hue: hue * 60, coloured: high - low > 80, bright: at(12)[0] };
  };
  const check = (view, video) => {
    if (!view.shown || view.participant === null || video.videoWidth === 0) return null;
    const sight = look(video);
    const one = entry(view);
    if (!one) return null;
    one.looked += 1;
    const off = Math.abs(((sight.hue - hues[nameOf(view)] + 540) % 360) - 180);
    if (!sight.coloured || off > 25) one.wrong.push(`hue ${Math.round(sight.hue)} at frame ${one.looked}`);
    return sight;
  };

  const attached = new Set();
  call.on('bound', (view) => {
    if (attached.has(view)) return;
    attached.add(view);
    const video = Object.assign(document.createElement('video'), { muted: true, playsInline: true, width: 160 });
    document.body.append(video);
    view.attach(video);
    view.on('shown', () => check(view, video));

    // Only onsets count, and only after enough of the other: the first flash of a newcomer may be cut.
    let [bright, lastFlash, lastBeep, quiet] = [false, null, null, 0];
    let owner = null;
    const pair = () => {
      if (lastFlash === null || lastBeep === null || Math.abs(lastBeep - lastFlash) > 450) return;
      entry(view)?.offsets.push(Math.round(lastBeep - lastFlash));
      [lastFlash, lastBeep] = [null, null];
    };
    const frame = () => {
      video.requestVideoFrameCallback(frame);
      if (view.participant !== owner) [owner, lastFlash, lastBeep, bright] = [view.participant, null, null, true];
      const sight = check(view, video);
      if (!sight) return;
      if (sight.bright > 150 && !bright) [bright, lastFlash] = [true, performance.now()];
      else if (sight.bright < 80) bright = false;
      pair();
    };
    video.requestVideoFrameCallback(frame);

    // Browsers give a remote track's sound to Web Audio only while an element plays it.
    const element = Object.assign(document.createElement('audio'), { srcObject: view.audio, muted: true });
    document.body.append(element);
    void element.play();
    const ear = audio.createScriptProcessor(256, 1, 1);
    audio.createMediaStreamSource(view.audio).connect(ear);
    ear.connect(audio.destination);
    ear.onaudioprocess = ({ inputBuffer }) => {
      const samples = inputBuffer.getChannelData(0);
      const onset = samples.findIndex((sample) => Math.abs(sample) > 0.08);
      if (onset >= 0 && quiet > audio.sampleRate * 0.3 && view.participant !== null) {
        lastBeep = performance.now() - ((samples.length - onset) / audio.sampleRate) * 1000;
        pair();
      }
      quiet = onset >= 0 ? 0 : quiet + samples.length;
    };
  });

  window.report = () => seen;
  await call.join({ room, name: 'Witness' });
}
