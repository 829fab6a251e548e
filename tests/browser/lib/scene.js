/**
 * Publishers and viewers on the SDK itself: a picture that is as hard to encode as a camera's, and for each viewer what came of it and
 * when. `installScene` runs in pages; it is handed over as source text, so it stands alone.
 */

/** In a page: `publish`, `sent`, `watch`, `show` and `figures`. */
export async function installScene() {
  const { Call } = await import('/sdk/index.js');
  const [WIDTH, HEIGHT, FPS] = [960, 540, 15];

  /** Connections that are made now go through the proxy at this port. @type {number | null} */
  let through = null;
  let newest = null;
  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    #through = through;

    constructor(...parameters) {
      super(...parameters);
      newest = this;
    }

    setRemoteDescription(description) {
      const { sdp } = description;
      return super.setRemoteDescription(this.#through === null ? description
        : { ...description, sdp: sdp.replace(/^(a=candidate:\S+ \d+ udp \d+) \S+ \d+ /gim, `$1 127.0.0.1 ${this.#through} `) });
    }
  };

  /** Noise of several sizes: nothing in it is cheap. */
  const texture = (width, height) => {
    const canvas = new OffscreenCanvas(width, height);
    const paint = canvas.getContext('2d');
    let state = 1;
    const chance = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32);
    for (const size of [96, 32, 12]) {
      paint.globalAlpha = 0.6;
      for (let n = 0; n < (width * height) / (size * size); n++) {
        paint.fillStyle = `hsl(${360 * chance()} 50% ${20 + 60 * chance()}%)`;
        paint.fillRect(chance() * width - size, chance() * height - size, size, size * (0.4 + chance()));
      }
    }
    return canvas;
  };

  const people = new Map();
  const join = async (name, room, options, prepare) => {
    const call = new Call({ url: `ws://${location.host}/ws`, ...options });
    await prepare(call);
    await call.join({ room, name });
    return { call, connection: newest };
  };

  /** A camera that pans across a texture. */
  window.publish = async ({ room, name, codec, fec = false, proxy = null }) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: WIDTH, height: HEIGHT });
    const paint = canvas.getContext('2d', { alpha: false });
    const background = texture(1300, 800);
    let frame = 0;
    const draw = () => {
      const t = frame++ / FPS;
      paint.drawImage(background, -170 - 165 * Math.sin(t / 3), -130 - 125 * Math.sin(t / 2.3));
    };
    draw();
    const timer = setInterval(draw, 1000 / FPS);
    const camera = canvas.captureStream(FPS).getVideoTracks()[0];
    through = proxy;
    const person = await join(name, room, { camera: { codec, fec } }, (call) => call.publish('camera', camera));
    through = null;
    people.set(name, { ...person, leave: () => clearInterval(timer) });
  };

  /** Of the camera. */
  window.sent = async (name) => {
    const stats = [...(await people.get(name).connection.getStats()).values()];
    const { codecId, bytesSent, scalabilityMode, frameWidth, keyFramesEncoded } = stats.find((one) => one.type === 'outbound-rtp' && one.framesEncoded > 0) ?? {};
    return { at_ms: performance.now(), codec: stats.find((one) => one.id === codecId)?.mimeType, bytesSent, scalabilityMode, frameWidth, keyFramesEncoded };
  };

  /** In a tile of this width; `proxy`: the port that media goes through. */
  window.watch = async ({ room, name, width, proxy = null }) => {
    const video = Object.assign(document.createElement('video'), { muted: true, playsInline: true });
    document.body.append(video);
    const person = { video, gap_ms: 0, shown_ms: null };
    people.set(name, person);
    window.show(name, width);
    const presented = (now) => {
      video.requestVideoFrameCallback(presented);
      if (person.shown_ms !== null) person.gap_ms = Math.max(person.gap_ms, now - person.shown_ms);
      person.shown_ms = now;
    };
    video.requestVideoFrameCallback(presented);
    through = proxy;
    Object.assign(person, await join(name, room, {}, (call) => call.on('bound', (view) => {
      person.view ??= view;
      person.view.attach(video);
    })));
    through = null;
  };

  /** In a tile of another width; 0: scrolled out of sight. */
  window.show = (name, width) => {
    const person = people.get(name);
    const [top, size] = width > 0 ? [0, width] : [-2000, 240];
    Object.assign(person.video.style, { position: 'fixed', left: 0, top: `${top}px`, width: `${size}px`, height: `${(size * HEIGHT) / WIDTH}px` });
    if (width === 0) person.shown_ms = null;
  };

  /** Since the start, but `gap_ms`: the longest time between two pictures since it was last asked for. */
  window.figures = async (name) => {
    const person = people.get(name);
    const entry = [...(await person.connection.getStats()).values()].find((one) => one.type === 'inbound-rtp' && one.kind === 'video' && one.bytesReceived > 0);
    const keep = ['bytesReceived', 'framesReceived', 'framesDecoded', 'framesDropped', 'keyFramesDecoded', 'frameWidth', 'freezeCount', 'totalFreezesDuration', 'pliCount', 'nackCount', 'packetsLost', 'fecPacketsReceived', 'fecBytesReceived', 'retransmittedPacketsReceived'];
    const figures = { at_ms: performance.now(), gap_ms: Math.round(person.gap_ms), ...Object.fromEntries(keep.map((one) => [one, entry?.[one] ?? 0])), sent: person.view?.quality };
    person.gap_ms = 0;
    return figures;
  };

  window.leave = () => {
    for (const { call, video, leave } of people.values()) {
      call.leave();
      video?.remove();
      leave?.();
    }
    people.clear();
  };
}
