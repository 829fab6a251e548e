/**
 * Chromium to Chromium: one sends, one watches behind the bad network. Offer, answer and candidates go over a relay, through
 * the same link. As well as a page can do it today: gathered and offered ahead of the click, one message each way.
 */

/** Hosts and ports are replaced by those of the link. */
const addressed = (candidate, address) => candidate.replace(/^(candidate:\S+ \d+ udp \d+) \S+ \d+ /i, `$1 ${address.replace(':', ' ')} `);
const isHost = (candidate) => / udp .* typ host/i.test(candidate) && !/ [0-9a-f:]{6,}::?\S* \d+ typ/i.test(candidate) && /\d+\.\d+\.\d+\.\d+ \d+ typ/.test(candidate);
const addressOf = (candidate) => candidate.split(' ').slice(4, 6).join(':');
const plain = (sdp) => sdp.replace(/^a=candidate:.*\r\n/gm, '').replace(/^a=end-of-candidates\r\n/gm, '');

const firstHost = (connection) => new Promise((resolve) => {
  connection.addEventListener('icecandidate', ({ candidate }) => {
    if (candidate && isHost(candidate.candidate)) resolve(candidate);
  });
});

const opened = (url) => new Promise((resolve, reject) => {
  const socket = new WebSocket(url);
  socket.addEventListener('open', () => resolve(socket));
  socket.addEventListener('error', () => reject(new Error('the relay is not there')));
});

/** The one who watches, up to the click. */
async function watcher(url) {
  const [connection, relay] = [new RTCPeerConnection(), await opened(url)];
  const [audio, video] = ['audio', 'video'].map((kind) => connection.addTransceiver(kind, { direction: 'recvonly' }));
  const host = firstHost(connection);
  await connection.setLocalDescription();
  return { connection, relay, audio, video, candidate: await host };
}

/**
 * @param {{sender_url: string, watcher_url: string, tracks: MediaStreamTrack[], link: (a: string, b: string) => Promise<{for_sender: string, for_watcher: string}>}} setup
 *   `link` makes the path between two addresses: where each finds the other
 */
export async function prepare({ sender_url, watcher_url, tracks, link }) {
  const ben = await watcher(watcher_url);
  const ann = { connection: new RTCPeerConnection(), relay: await opened(sender_url) };
  ann.relay.addEventListener('message', async ({ data }) => {
    const { sdp, candidate, address } = JSON.parse(data);
    const host = firstHost(ann.connection);
    await ann.connection.setRemoteDescription({ type: 'offer', sdp });
    ann.connection.getTransceivers().forEach((transceiver, at) => {
      transceiver.direction = 'sendonly';
      transceiver.sender.replaceTrack(tracks[at]);
    });
    await ann.connection.setLocalDescription();
    const own = await host;
    const { for_sender, for_watcher } = await link(addressOf(own.candidate), address);
    await ann.connection.addIceCandidate({ ...candidate, candidate: addressed(candidate.candidate, for_sender) });
    const mine = { candidate: addressed(own.candidate, for_watcher), sdpMid: own.sdpMid, sdpMLineIndex: own.sdpMLineIndex };
    ann.relay.send(JSON.stringify({ sdp: plain(ann.connection.localDescription.sdp), candidate: mine }));
  });
  const click = async (reach) => {
    const { connection, relay, candidate } = ben;
    connection.addEventListener('iceconnectionstatechange', () => {
      if (['connected', 'completed'].includes(connection.iceConnectionState)) reach('ice');
    });
    connection.addEventListener('connectionstatechange', () => connection.connectionState === 'connected' && reach('dtls'));
    for (const { receiver } of [ben.audio, ben.video]) receiver.track.addEventListener('unmute', () => reach('first_packet'), { once: true });
    const answered = new Promise((resolve) => relay.addEventListener('message', ({ data }) => resolve(JSON.parse(data)), { once: true }));
    relay.send(JSON.stringify({ sdp: plain(connection.localDescription.sdp), candidate: candidate.toJSON(), address: addressOf(candidate.candidate) }));
    const answer = await answered;
    reach('signaling');
    await connection.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
    await connection.addIceCandidate(answer.candidate);
  };
  const leave = () => [ann, ben].forEach(({ connection, relay }) => (connection.close(), relay.close()));
  return { sending: ann.connection, receiving: ben.connection, audio: ben.audio.receiver, video: ben.video.receiver, click, leave };
}
