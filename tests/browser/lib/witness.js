/**
 * Performers and a witness, on the SDK itself. A performer sends a colour of its own and, once a second, a flash and a
 * beep at the same instant. The witness looks at every frame that a slot shows as somebody's, and measures how far each
 * beep is from its flash. `installStage` and `installWitness` run in pages; they are handed over as source text, so each
 * stands alone.
 */

/** Far apart on the circle of hues, so that no codec mistakes one for another. */
export const HUES = [0, 60, 120, 180, 240, 300];

/** In a page: `startPerformer` and `stopPerformer`. */
export async function installStage() {
  const { Call } = await import('/sdk/index.js');
  const performers = new Map();
  const audio = new AudioContext();

  const perform = ({ hue, width = 320, fps = 15 }) => {
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
    const stop = () => {
      clearInterval(timer);
      tone.stop();
    };
    return { video: canvas.captureStream().getVideoTracks()[0], audio: out.stream.getAudioTracks()[0], stop };
  };

  window.startPerformer = async ({ room, name, key = null, ...look }) => {
    const { video, audio: sound, stop } = perform(look);
    const call = new Call({ url: `ws://${location.host}/ws`, key });
    await call.publish('camera', video);
    await call.publish('microphone', sound);
    await call.join({ room, name });
    performers.set(name, () => {
      stop();
      call.leave();
    });
  };
  window.stopPerformer = (name) => performers.get(name)?.();
}

/** In a page: joins and watches; `window.report()` says what was seen and heard so far. */
export async function installWitness({ room, hues }) {
  const { Call } = await import('/sdk/index.js');
  const canvas = Object.assign(document.createElement('canvas'), { width: 16, height: 9 });
  const context = canvas.getContext('2d', { willReadFrequently: true });

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

  /**
   * Calls `offset(ms)` with beep minus flash of each pair. `sight()` looks at the frame on screen and returns what it
   * saw, or null when it is not to be looked at; `owner()` names whose frames they are; `sound()` is what is played.
   */
  const measure = (video, sound, owner, sight, offset) => {
    let [bright, flash_ms, beep_ms, loud_ms, whose] = [true, null, null, 0, null];
    const pair = () => {
      if (flash_ms === null || beep_ms === null || Math.abs(beep_ms - flash_ms) > 450) return;
      offset(Math.round(beep_ms - flash_ms));
      [flash_ms, beep_ms] = [null, null];
    };
    const frame = (_, metadata) => {
      video.requestVideoFrameCallback(frame);
      // A newcomer's first flash may be cut: only one that was seen to begin counts.
      if (owner() !== whose) [whose, flash_ms, beep_ms, bright] = [owner(), null, null, true];
      const seen = sight();
      if (!seen) return;
      if (seen.bright > 150 && !bright) [bright, flash_ms] = [true, metadata.presentationTime];
      else if (seen.bright < 80) bright = false;
      pair();
    };
    video.requestVideoFrameCallback(frame);

    // How loud the packet is that is being played, and since when: the browser's own word, which needs no loudspeaker.
    setInterval(() => {
      const newest = sound();
      if (!newest || owner() === null) return;
      const at_ms = newest.timestamp - performance.timeOrigin;
      if ((newest.audioLevel ?? 0) < 0.05) return;
      if (at_ms - loud_ms > 300) {
        beep_ms = at_ms;
        pair();
      }
      loud_ms = at_ms;
    }, 5);
  };

  const call = new Call({ url: `ws://${location.host}/ws`, slots: 4 });
  /** by name: frames looked at while shown, those in somebody else's colour, the slot, and beep minus flash in ms */
  const seen = {};
  const nameOf = (view) => call.participants.find((one) => one.id === view.participant)?.name;
  const entry = (view) => (seen[nameOf(view)] ??= { looked: 0, wrong: [], mid: view.slot.mids.video, offsets: [] });
  const check = (view, video) => {
    if (!view.shown || nameOf(view) === undefined || video.videoWidth === 0) return null;
    const sight = look(video);
    const one = entry(view);
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
    // On screen: a picture below the fold is not sent.
    Object.assign(video.style, { position: 'fixed', top: 0, left: 0 });
    document.body.append(video);
    view.attach(video);
    view.on('shown', () => check(view, video));
    // Sound is pulled through the jitter buffer only where an element plays it.
    const element = Object.assign(document.createElement('audio'), { srcObject: view.audio, muted: true });
    document.body.append(element);
    void element.play();
    measure(video, () => view.newest('audio'), () => view.participant, () => check(view, video), (ms) => nameOf(view) && entry(view).offsets.push(ms));
  });
  window.report = () => seen;
  await call.join({ room, name: 'Witness' });
}
