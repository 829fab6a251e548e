/** A WHEP player of one person, without any of the SDK: what whoever forwards the media could see of it. */

/** In a page of the server: plays, and `window.look()` says what is on screen. @param {{room: string}} what */
export async function installPlayer({ room }) {
  const peer = new RTCPeerConnection();
  for (const kind of ['audio', 'video']) peer.addTransceiver(kind, { direction: 'recvonly' });
  const video = Object.assign(document.createElement('video'), {
    autoplay: true, srcObject: new MediaStream(peer.getReceivers().map(({ track }) => track)),
  });
  document.body.replaceChildren(video);
  await peer.setLocalDescription();
  const response = await fetch(`/whep/${room}`, { method: 'POST', headers: { 'content-type': 'application/sdp' }, body: peer.localDescription.sdp });
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
  await peer.setRemoteDescription({ type: 'answer', sdp: await response.text() });

  const canvas = Object.assign(document.createElement('canvas'), { width: 16, height: 9 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const session = new URL(response.headers.get('location'), response.url);
  window.endPlaying = async () => {
    const { status } = await fetch(session, { method: 'DELETE' });
    peer.close();
    return status;
  };
  window.look = async () => {
    const seen = { state: peer.connectionState, packets: 0, decoded: 0, energy: 0, codec: null, hue: null };
    const report = await peer.getStats();
    report.forEach((entry) => {
      if (entry.type !== 'inbound-rtp') return;
      if (entry.kind === 'audio') seen.energy = entry.totalAudioEnergy ?? 0;
      else Object.assign(seen, { packets: entry.packetsReceived, decoded: entry.framesDecoded ?? 0, codec: report.get(entry.codecId)?.mimeType ?? null });
    });
    if (video.videoWidth === 0) return seen;
    context.drawImage(video, 0, 0, 16, 9);
    const [r, g, b] = context.getImageData(3, 4, 1, 1).data;
    const [high, low] = [Math.max(r, g, b), Math.min(r, g, b)];
    // A performer's colour is pure: what is grey is nobody's.
    if (high - low > 80) seen.hue = 60 * (high === r ? ((g - b) / (high - low) + 6) % 6 : high === g ? (b - r) / (high - low) + 2 : (r - g) / (high - low) + 4);
    return seen;
  };
}
