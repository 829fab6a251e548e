/** A TCP proxy in front of the server whose wire a test can cut. Media goes past it, straight to the server's UDP port. */

import { connect, createServer } from 'node:net';

/**
 * @param {number} port of the server on this machine
 * @returns {Promise<{url: string, cut: () => void, hang: () => void, mute: () => void, stall: (count: number) => void, mend: () => void, close: () => Promise<void>}>}
 *   `cut`: every connection is reset, new ones too; `hang`: nothing gets through any more, and nobody is told; `mute`: likewise, but what the
 *   server says gets through; `stall`: so many WebSockets open, and then nothing that the client says
 *   in them gets through; `mend`: new ones work
 */
export async function wire(port) {
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();
  /** @type {Set<import('node:net').Socket>} To clients. */
  const nears = new Set();
  /** @type {'whole' | 'cut' | 'hanging'} */
  let state = 'whole';
  let stalls = 0;
  const keep = (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    return socket;
  };
  const proxy = createServer((near) => {
    keep(near);
    if (state === 'cut') return void near.resetAndDestroy();
    if (state === 'hanging') return; // Accepted by the kernel, answered by nobody.
    const far = keep(connect(port, '127.0.0.1'));
    far.pipe(near);
    near.once('data', (first) => {
      far.write(first);
      if (stalls > 0 && first.includes('Upgrade: websocket')) stalls--;
      else near.pipe(far);
    });
    nears.add(near);
    near.on('close', () => {
      nears.delete(near);
      far.destroy();
    });
    far.on('close', () => near.destroy());
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${proxy.address().port}`,
    cut: () => {
      state = 'cut';
      for (const socket of sockets) socket.resetAndDestroy();
    },
    hang: () => {
      state = 'hanging';
      for (const socket of sockets) {
        socket.unpipe();
        socket.pause();
      }
    },
    stall: (count) => {
      stalls = count;
    },
    mute: () => {
      for (const near of nears) near.unpipe();
    },
    mend: () => {
      if (state === 'hanging') for (const socket of sockets) socket.destroy();
      state = 'whole';
    },
    close: () => new Promise((resolve) => {
      for (const socket of sockets) socket.destroy();
      proxy.close(resolve);
    }),
  };
}
