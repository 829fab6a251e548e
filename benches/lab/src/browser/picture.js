/**
 * A textured moving picture of 640x360 with its number in a barcode on top, and the reader of that barcode at the other end.
 *
 *   | n15 n14 ... n0 c3 c2 c1 c0 |    white: 1, black: 0; c is the sum of the number's four digits
 *   | the same, inverted         |    a cell counts by which of the two is brighter
 */

const [WIDTH, HEIGHT, CELLS, CELL] = [640, 360, 20, 32];

/** Noise of several sizes: nothing in it is cheap to encode. */
function texture(width, height, seed) {
  const canvas = new OffscreenCanvas(width, height);
  const paint = canvas.getContext('2d');
  let state = seed;
  const chance = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32);
  for (const size of [96, 32, 12, 5]) {
    paint.globalAlpha = 0.55;
    for (let n = 0; n < (width * height) / (size * size); n++) {
      paint.fillStyle = `hsl(${360 * chance()} ${30 + 40 * chance()}% ${20 + 60 * chance()}%)`;
      paint.fillRect(chance() * width - size, chance() * height - size, size, size * (0.4 + chance()));
    }
  }
  return canvas;
}

const checksum = (number) => [0, 4, 8, 12].reduce((sum, shift) => sum + ((number >> shift) & 15), 0) & 15;

/** @returns {{track: MediaStreamTrack, captured: Map<number, number>, stop: () => void}} when each number was drawn */
export function makePicture(fps) {
  const canvas = Object.assign(document.createElement('canvas'), { width: WIDTH, height: HEIGHT });
  document.body.append(canvas);
  const paint = canvas.getContext('2d', { alpha: false });
  const background = texture(1100, 700, 1);
  const actors = [2, 3].map((seed) => texture(150, 180, seed));
  const captured = new Map();
  let number = 0;
  const draw = () => {
    const t = number / fps;
    paint.setTransform(1, 0, 0, 1, 0, 0);
    paint.drawImage(background, -220 - 210 * Math.sin(t / 3), -160 - 150 * Math.sin(t / 2.3));
    actors.forEach((actor, n) => {
      const turn = Math.sin(t * (0.7 + 0.3 * n)) * 0.6;
      const [x, y] = [WIDTH * (0.5 + 0.4 * Math.sin(t * (0.5 + 0.2 * n) + n)), HEIGHT * (0.6 + 0.25 * Math.cos(t * 0.8 + 2 * n))];
      paint.setTransform(Math.cos(turn), Math.sin(turn), -Math.sin(turn), Math.cos(turn), x, y);
      paint.drawImage(actor, -75, -90);
    });
    paint.setTransform(1, 0, 0, 1, 0, 0);
    const bits = ((number & 0xffff) << 4) | checksum(number & 0xffff);
    for (let cell = 0; cell < CELLS; cell++) {
      const one = (bits >> (CELLS - 1 - cell)) & 1;
      paint.fillStyle = one ? '#fff' : '#000';
      paint.fillRect(cell * CELL, 0, CELL, CELL);
      paint.fillStyle = one ? '#000' : '#fff';
      paint.fillRect(cell * CELL, CELL, CELL, CELL);
    }
    captured.set(number++, performance.now());
  };
  draw();
  const timer = setInterval(draw, 1000 / fps);
  const track = canvas.captureStream(fps).getVideoTracks()[0];
  const stop = () => {
    clearInterval(timer);
    track.stop();
    canvas.remove();
  };
  return { track, captured, stop };
}

/** Calls `seen(number, at_ms, width)` for every picture that is presented and can be read. */
export function readPicture(video, seen) {
  const [columns, rows] = [CELLS * 4, 8];
  const canvas = new OffscreenCanvas(columns, rows);
  const paint = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
  let stopped = false;
  const read = (now) => {
    if (stopped) return;
    video.requestVideoFrameCallback(read);
    const [width, height] = [video.videoWidth, video.videoHeight];
    paint.drawImage(video, 0, 0, width, (height * 2 * CELL) / HEIGHT, 0, 0, columns, rows);
    const { data } = paint.getImageData(0, 0, columns, rows);
    const light = (cell, row) => {
      let sum = 0;
      for (const x of [1, 2]) for (const y of [1, 2]) sum += data[((row * 4 + y) * columns + cell * 4 + x) * 4 + 1];
      return sum;
    };
    let bits = 0;
    for (let cell = 0; cell < CELLS; cell++) bits = bits * 2 + (light(cell, 0) > light(cell, 1) ? 1 : 0);
    const number = bits >> 4;
    if (checksum(number) === (bits & 15)) seen(number, now, width);
  };
  video.requestVideoFrameCallback(read);
  return () => (stopped = true);
}
