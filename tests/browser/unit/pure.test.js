import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as attributes from '../../../client-demo/web/sdk/attributes.js';
import { Backoff, FIRST_WAIT_MS, FRESH_FOR_MS, FRESH_WAIT_MS, LONGEST_WAIT_MS } from '../../../client-demo/web/sdk/backoff.js';
import { cameraEncodings, preferredCodecs, sizesUpTo, withAudioRepair } from '../../../client-demo/web/sdk/codecs.js';
import { asProblem } from '../../../client-demo/web/sdk/devices.js';
import { checkEnvironment } from '../../../client-demo/web/sdk/environment.js';
import { CallError, isPassing } from '../../../client-demo/web/sdk/errors.js';
import { Emitter } from '../../../client-demo/web/sdk/events.js';
import { MessageLog } from '../../../client-demo/web/sdk/messages.js';
import { shortened } from '../../../client-demo/web/sdk/offer.js';
import { hueOf } from '../../../client-demo/web/sdk/generated.js';
import { StageClock } from '../../../client-demo/web/sdk/stages.js';
import { summarise } from '../../../client-demo/web/sdk/stats.js';
import { tileSize } from '../../../client-demo/web/ui/layout.js';
import { callWords, decisionWords, mediaWords, wordsFor } from '../../../client-demo/web/ui/words/index.js';
import { ERROR_CODES } from '../../../client-demo/web/sdk/wire.js';

// --- waiting ---

test('a fresh loss is tried often, an old one seldom, within half and all of the ceiling, and a success starts over', () => {
  let now = 1000;
  const [low, high] = [new Backoff(() => 0, () => now), new Backoff(() => 1, () => now)];
  for (const ceiling of [FIRST_WAIT_MS, FIRST_WAIT_MS * 2, FRESH_WAIT_MS, FRESH_WAIT_MS]) {
    assert.equal(low.next(), ceiling / 2);
    assert.equal(high.next(), ceiling);
  }
  now += FRESH_FOR_MS;
  for (let i = 0; i < 40; i++) high.next();
  assert.equal(high.next(), LONGEST_WAIT_MS);
  high.reset();
  assert.equal(high.next(), FIRST_WAIT_MS);
  assert.equal(high.next(), FIRST_WAIT_MS * 2, 'fresh again');
});

test('what passes is tried again, what stays is told', () => {
  for (const code of ['gone', 'unreachable', 'shutting_down', 'media_lost']) assert.ok(isPassing(new CallError(code, '')), code);
  for (const code of ['room_full', 'bad_name', 'bad_sdp', 'broken']) assert.ok(!isPassing(new CallError(code, '')), code);
  assert.ok(!isPassing(new Error('a fault of ours')));
});

// --- codecs ---

const CHROMIUM_VIDEO = [
  { mimeType: 'video/VP8', clockRate: 90000 }, { mimeType: 'video/rtx', clockRate: 90000 },
  { mimeType: 'video/VP9', clockRate: 90000, sdpFmtpLine: 'profile-id=0' }, { mimeType: 'video/VP9', clockRate: 90000, sdpFmtpLine: 'profile-id=2' },
  { mimeType: 'video/H264', clockRate: 90000, sdpFmtpLine: 'level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f' },
  { mimeType: 'video/H264', clockRate: 90000, sdpFmtpLine: 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f' },
  { mimeType: 'video/H264', clockRate: 90000, sdpFmtpLine: 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f' },
  { mimeType: 'video/AV1', clockRate: 90000, sdpFmtpLine: 'level-idx=5;profile=0;tier=0' },
  { mimeType: 'video/red', clockRate: 90000 }, { mimeType: 'video/ulpfec', clockRate: 90000 },
];
const WITH_FLEXFEC = [...CHROMIUM_VIDEO, { mimeType: 'video/flexfec-03', clockRate: 90000, sdpFmtpLine: 'repair-window=10000000' }];
const names = (codecs) => codecs.map((codec) => codec.mimeType);

test('video is sent as VP8 and accepted in one profile of each codec, VP8 first, FEC behind them', () => {
  assert.deepEqual(names(preferredCodecs(CHROMIUM_VIDEO, 'video', 'send')), ['video/VP8', 'video/rtx']);
  const accepted = preferredCodecs(CHROMIUM_VIDEO, 'video', 'receive');
  assert.deepEqual(names(accepted), ['video/VP8', 'video/VP9', 'video/H264', 'video/AV1', 'video/red', 'video/ulpfec', 'video/rtx']);
  assert.deepEqual(names(preferredCodecs(WITH_FLEXFEC, 'video', 'receive')).slice(4), ['video/flexfec-03', 'video/red', 'video/ulpfec', 'video/rtx']);
  assert.match(accepted[2].sdpFmtpLine, /packetization-mode=1;profile-level-id=42e01f/);
});

test('a camera is sent with the codec and the FEC that are wished for, or as VP8', () => {
  const sent = (camera, capabilities = CHROMIUM_VIDEO) => names(preferredCodecs(capabilities, 'video', 'send', camera));
  assert.deepEqual(sent({ codec: 'vp9' }), ['video/VP9', 'video/VP8', 'video/rtx']);
  assert.deepEqual(sent({ codec: 'vp9', fec: true }), ['video/red', 'video/ulpfec', 'video/VP9', 'video/VP8', 'video/rtx']);
  assert.deepEqual(sent({ codec: 'av1', fec: true }), ['video/AV1', 'video/VP8', 'video/rtx']);
  assert.deepEqual(sent({ codec: 'vp9', fec: true }, WITH_FLEXFEC).slice(3), ['video/VP8', 'video/flexfec-03', 'video/rtx']);
  assert.deepEqual(sent({ codec: 'vp9' }, WITH_FLEXFEC), ['video/VP9', 'video/VP8', 'video/rtx']);
  assert.deepEqual(sent({ codec: 'av1' }, CHROMIUM_VIDEO.slice(0, 2)), ['video/VP8', 'video/rtx']);
});

test('VP9 and AV1 send one stream with sizes inside each other, where the browser knows how', () => {
  for (const codec of ['vp9', 'av1']) assert.deepEqual(cameraEncodings(codec).map(({ scalabilityMode, rid }) => [scalabilityMode, rid]), [['L3T3_KEY', undefined]]);
  assert.deepEqual(cameraEncodings('vp8').map(({ scalabilityMode }) => scalabilityMode), ['L1T3', 'L1T3', 'L1T3']);
  assert.ok(cameraEncodings('vp9', false).every(({ scalabilityMode }) => scalabilityMode === undefined));
  assert.equal(cameraEncodings('vp9', false).length, 3);
  assert.deepEqual([0, 1, 2, 3, undefined].map((largest) => sizesUpTo(largest).scalabilityMode), ['L1T3', 'L2T3_KEY', 'L3T3_KEY', 'L3T3_KEY', 'L3T3_KEY']);
});

test('a microphone that is sent in RED is said to answer requests, and nothing else is', () => {
  const section = (mid, red) => `m=audio 9 UDP/TLS/RTP/SAVPF 63 111\r\na=mid:${mid}\r\n${red ? 'a=rtpmap:63 red/48000/2\r\n' : ''}a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n`;
  const offer = `v=0\r\n${section('0', true)}m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n${section('4', true)}`;
  const changed = withAudioRepair(offer, ['0', '1', null]);
  assert.equal(changed.match(/rtcp-fb:111 nack/g)?.length, 1);
  assert.ok(changed.indexOf('a=rtcp-fb:111 nack') < changed.indexOf('m=video'));
  assert.equal(changed.replace('a=rtcp-fb:111 nack\r\n', ''), offer);
  assert.equal(withAudioRepair(changed, ['0']), changed, 'once');
  assert.equal(withAudioRepair(section('0', false), ['0']), section('0', false));
});

test('a browser without the codecs we know offers what it has', () => {
  const odd = [{ mimeType: 'video/H265', clockRate: 90000 }];
  assert.deepEqual(preferredCodecs(odd, 'video', 'send'), odd);
});

test('audio is Opus, sent in RED where there is RED', () => {
  const audio = [{ mimeType: 'audio/red', clockRate: 48000 }, { mimeType: 'audio/opus', clockRate: 48000, channels: 2 }, { mimeType: 'audio/PCMU', clockRate: 8000 }];
  assert.deepEqual(names(preferredCodecs(audio, 'audio', 'receive')), ['audio/opus', 'audio/red']);
  assert.deepEqual(names(preferredCodecs(audio, 'audio', 'send')), ['audio/red', 'audio/opus']);
  assert.deepEqual(names(preferredCodecs(audio.slice(1), 'audio', 'send')), ['audio/opus']);
});

test('three layers halve the size twice, smallest first', () => {
  assert.deepEqual(cameraEncodings().map(({ rid, scaleResolutionDownBy }) => [rid, scaleResolutionDownBy]), [['l', 4], ['m', 2], ['h', 1]]);
  const rates = cameraEncodings().map(({ maxBitrate }) => maxBitrate);
  assert.deepEqual(rates, [...rates].sort((a, b) => a - b));
});

// --- events, environment, problems ---

test('a listener that fails does not keep the others from hearing', (context) => {
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  context.after(() => delete globalThis.reportError);
  const emitter = new Emitter();
  const heard = [];
  emitter.on('x', () => { throw new Error('mine'); });
  const end = emitter.on('x', (detail) => heard.push(detail));
  emitter.emit('x', 1);
  end();
  emitter.emit('x', 2);
  assert.deepEqual([heard, reported], [[1], ['mine', 'mine']]);
});

test('plain HTTP from another machine is told apart from a browser without WebRTC', () => {
  class Peer { addTransceiver() {} }
  const base = { RTCPeerConnection: Peer, WebSocket: class {}, navigator: { mediaDevices: { getUserMedia() {} } }, isSecureContext: true };
  assert.deepEqual(checkEnvironment(base), { webrtc: true, capture: true, insecure: false, screen: false, encryption: false });
  assert.deepEqual(checkEnvironment({ ...base, navigator: {}, isSecureContext: false }), { webrtc: true, capture: false, insecure: true, screen: false, encryption: false });
  assert.equal(checkEnvironment({ ...base, RTCPeerConnection: undefined }).webrtc, false);
});

for (const [name, reason] of [['NotAllowedError', 'refused'], ['NotFoundError', 'missing'], ['OverconstrainedError', 'missing'], ['NotReadableError', 'busy'], ['TypeError', 'failed']]) {
  test(`${name} of getUserMedia is called ${reason}`, () => {
    assert.equal(asProblem(Object.assign(new Error('x'), { name })).reason, reason);
  });
}

test('what people read names the remedy', () => {
  const refused = asProblem(Object.assign(new Error(''), { name: 'NotAllowedError' }));
  const en = wordsFor(['en']);
  assert.match(mediaWords(en, refused, refused), /camera and microphone were refused.*generated picture and tone/);
  assert.match(mediaWords(en, null, refused), /microphone was refused.*generated tone/);
  assert.match(mediaWords(en, { reason: 'insecure' }, { reason: 'insecure' }), /--tls self-signed/);
  assert.equal(mediaWords(en, null, null), '');
  for (const code of ERROR_CODES) assert.ok(callWords(en, new CallError(code, 'because')).length > 20, code);
});

test('the first language that there is a table of is spoken, English where there is none', () => {
  for (const [wanted, locale] of [[['zh-Hans-CN', 'en'], 'zh'], [['fr', 'ZH-tw'], 'zh'], [[null, undefined, ''], 'en'], [['fr'], 'en'], [['en-GB', 'zh'], 'en']]) {
    assert.equal(wordsFor(wanted).locale, locale, String(wanted));
  }
});

test('every language says everything, in its own script', () => {
  /** Every text of a table by its path; functions are called with stand-ins. */
  const texts = (value, path = '') => {
    if (typeof value === 'function') return [[path, value('both', 'Ada', 'because')]];
    if (typeof value === 'string') return [[path, value]];
    return Object.entries(value).flatMap(([key, one]) => texts(one, `${path}.${key}`));
  };
  const [en, zh] = [wordsFor(['en']), wordsFor(['zh'])].map((words) => new Map(texts(words)));
  assert.deepEqual([...zh.keys()].sort(), [...en.keys()].sort());
  const same = ['.quality.stages.ice', '.quality.stages.dtls', '.tile.separator', '.locale'];
  for (const [path, text] of zh) assert.ok(same.includes(path) || /\p{Script=Han}/u.test(text), `${path}: ${text}`);
  for (const [path, text] of en) assert.doesNotMatch(text, /\p{Script=Han}/u, path);
});

test('a decision is said in the language of the reader, and what a newer server says in its own words', () => {
  const [en, zh] = [wordsFor(['en']), wordsFor(['zh'])];
  const layer = (encoding) => ({ layer: { encoding, spatial: 0, temporal: 0 } });
  const decision = {
    mid: '4', text: 'as the server says it', from: layer(2), to: { paused: 'bandwidth' }, why: 'congestion', estimate_kbps: 740, budget_kbps: 60, needed_kbps: 120,
    width: 0, height: 0,
  };
  assert.equal(decisionWords(en, decision), 'from layer 3 to paused: link too slow: the link carries 740 kb/s and sound comes first; the smallest layer takes 120 of 60');
  assert.match(decisionWords(zh, decision), /由第 3 层变为已暂停：链路太慢：链路只能承载 740 kb\/s/);
  for (const why of Object.keys(en.quality.why)) for (const words of [en, zh]) assert.doesNotMatch(decisionWords(words, { ...decision, why }), /undefined|as the server/, why);
  for (const change of [{ why: 'later' }, { to: { hologram: 1 } }, { from: 'everything' }]) assert.equal(decisionWords(zh, { ...decision, ...change }), 'as the server says it');
});

// --- what is kept, and what is said ---

test('attributes are found by key, changed, and gone when their value is', () => {
  let list = attributes.changed([], { key: 'topic', value: 'fractions', version: 1 });
  list = attributes.changed(list, { value: '{}', version: 2 });
  list = attributes.changed(list, { key: 'topic', value: 'decimals', version: 3 });
  assert.deepEqual(attributes.find(list, 'topic'), { value: 'decimals', version: 3 });
  assert.deepEqual(attributes.find(list), { value: '{}', version: 2 });
  assert.equal(attributes.find(attributes.changed(list, { key: 'topic', value: null, version: 4 }), 'topic'), null);
});

test('each room has a log of its own, and what was written in one is not said in another', async () => {
  const sent = [];
  const answers = [];
  const link = { isOpen: true, send: (message) => sent.push(message), request: (message) => new Promise((resolve, reject) => answers.push({ message, resolve, reject })) };
  const log = new MessageLog();
  const message = (seq, body) => ({ seq, at_ms: 0, participant: 'p', name: 'n', topic: 'chat', body });
  log.enter('class');
  log.attach(link);
  log.receive({ log: 'h1', messages: [message(1, 'to all')] });
  const said = log.post('chat', 'for all alone');
  assert.equal(answers[0].message.room, 'class');
  log.move('class\u001fone');
  assert.deepEqual(sent.at(-1), { type: 'history', history: { newest: 100 } });
  answers[0].reject(new CallError('moved', ''));
  log.receive({ log: 'h2', messages: [message(1, 'among us')] });
  await Promise.resolve();
  assert.deepEqual([log.list.map(({ body }) => body), log.waiting.length, answers.length], [['among us'], 0, 1]);
  log.move('class');
  assert.deepEqual(sent.at(-1), { type: 'history', history: { log: 'h1', after: 1 } });
  assert.deepEqual([log.list.map(({ body }) => body), log.waiting.length, answers[1].message.body], [['to all'], 1, 'for all alone']);
  answers[1].resolve({ seq: 2 });
  assert.equal(await said, 2);
  log.close();
});

// --- the offer ---

test('the offer says once what holds for all m-lines, and nothing that nobody reads', () => {
  const section = (kind, mid, direction, more) => [
    `m=${kind} 9 UDP/TLS/RTP/SAVPF 96`, 'c=IN IP4 0.0.0.0', 'a=rtcp:9 IN IP4 0.0.0.0', 'a=ice-ufrag:abcd', 'a=ice-pwd:abcdefghijklmnopqrstuvwx', 'a=ice-options:trickle',
    'a=fingerprint:sha-256 00:11', 'a=setup:actpass', `a=mid:${mid}`, 'a=extmap:14 urn:ietf:params:rtp-hdrext:toffset', 'a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid',
    `a=${direction}`, 'a=rtcp-mux', 'a=rtpmap:96 VP8/90000', 'a=rtcp-fb:96 nack pli', ...more,
  ];
  const kept = (mid, direction) => [`a=mid:${mid}`, 'a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid', `a=${direction}`, 'a=rtcp-mux', 'a=rtpmap:96 VP8/90000', 'a=rtcp-fb:96 nack pli'];
  const sdp = ['v=0', 'a=group:BUNDLE 0 1 2', 'a=msid-semantic: WMS', ...section('video', 0, 'sendonly', []),
    ...section('video', 1, 'sendonly', ['a=ssrc-group:FID 1 2', 'a=ssrc:1 cname:x', 'a=ssrc:1 msid:- y', 'a=ssrc:2 cname:x']), ...section('video', 2, 'recvonly', ['a=ssrc:3 cname:x']), ''].join('\r\n');
  assert.deepEqual(shortened(sdp).split('\r\n'), [
    'v=0', 'a=group:BUNDLE 0 1 2',
    'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=ice-ufrag:abcd', 'a=ice-pwd:abcdefghijklmnopqrstuvwx', 'a=fingerprint:sha-256 00:11', 'a=setup:actpass', ...kept(0, 'sendonly'),
    'm=video 9 UDP/TLS/RTP/SAVPF 96', ...kept(1, 'sendonly'), 'a=ssrc-group:FID 1 2', 'a=ssrc:1 cname:x', 'a=ssrc:2 cname:x',
    'm=video 9 UDP/TLS/RTP/SAVPF 96', ...kept(2, 'recvonly'), '',
  ]);
});

// --- stages ---

test('stages count from the click, each once', () => {
  const clock = new StageClock(1000);
  assert.equal(clock.reach('ice', 1020.04), true);
  assert.equal(clock.reach('ice', 1500), false);
  assert.deepEqual(clock.stages(), { ice_ms: 20 });
  assert.equal(clock.complete, false);
});

test('a stage that the browser tells of late was there before what rests on it', () => {
  const clock = new StageClock(1000);
  clock.reach('ice', 1020);
  clock.reach('first_audio', 1095);
  clock.reach('first_frame', 1080);
  clock.reach('dtls', 1085);
  clock.reach('first_packet', 1090);
  assert.deepEqual(clock.stages(), { ice_ms: 20, dtls_ms: 80, first_packet_ms: 80, first_audio_ms: 95, first_frame_ms: 80 });
});

// --- statistics ---

test('two reports become rates', () => {
  const report = (timestamp, entries) => new Map(entries.map((entry) => [entry.id, { timestamp, ...entry }]));
  const before = report(1000, [
    { id: 'a', type: 'inbound-rtp', kind: 'audio', mid: '4', bytesReceived: 0, packetsReceived: 0, packetsLost: 0, totalSamplesReceived: 0, concealedSamples: 0, jitterBufferDelay: 0, jitterBufferEmittedCount: 0 },
    { id: 'o', type: 'outbound-rtp', kind: 'video', mid: '1', rid: 'h', bytesSent: 0 },
  ]);
  const after = report(2000, [
    { id: 'a', type: 'inbound-rtp', kind: 'audio', mid: '4', bytesReceived: 4000, packetsReceived: 45, packetsLost: 5, totalSamplesReceived: 48000, concealedSamples: 480, silentConcealedSamples: 0, jitterBufferDelay: 2400, jitterBufferEmittedCount: 48000 },
    { id: 'o', type: 'outbound-rtp', kind: 'video', mid: '1', rid: 'h', bytesSent: 125_000, framesPerSecond: 15, frameWidth: 960, frameHeight: 540 },
    { id: 'r', type: 'remote-inbound-rtp', fractionLost: 0.02 },
    { id: 'p', type: 'candidate-pair', currentRoundTripTime: 0.023, availableOutgoingBitrate: 2_000_000, remoteCandidateId: 'c' },
    { id: 'q', type: 'candidate-pair', currentRoundTripTime: 9, remoteCandidateId: 'c' },
    { id: 't', type: 'transport', selectedCandidatePairId: 'p' },
    { id: 'c', type: 'remote-candidate', protocol: 'udp', address: '::1', port: 3478 },
  ]);
  const stats = summarise(before, after, '1');
  const audio = stats.by_mid.get('4');
  assert.equal(audio.audio_kbps, 32);
  assert.equal(audio.audio_loss_pct, 10);
  assert.equal(audio.concealed_pct, 1);
  assert.equal(audio.audio_buffer_ms, 50);
  assert.equal(stats.send_kbps, 1000);
  assert.equal(stats.send_loss_pct, 2);
  assert.equal(stats.rtt_ms, 23);
  assert.equal(stats.path, 'udp [::1]:3478');
  assert.deepEqual(stats.layers.map(({ rid, width }) => [rid, width]), [['h', 960]]);
});

test('a camera that is one stream is known by its m-line, and a screen is no layer of it', () => {
  const sent = (id, mid, frameWidth) => [id, { id, timestamp: 5, type: 'outbound-rtp', kind: 'video', mid, bytesSent: 0, framesPerSecond: 15, frameWidth, frameHeight: 540 }];
  assert.deepEqual(summarise(null, new Map([sent('c', '1', 960), sent('s', '2', 1920)]), '1').layers.map(({ rid, width }) => [rid, width]), [[null, 960]]);
});

test('a first report has no rates yet', () => {
  const entry = { id: 'a', timestamp: 5, type: 'inbound-rtp', kind: 'video', mid: '5', bytesReceived: 4000, packetsReceived: 1, packetsLost: 0 };
  assert.equal(summarise(null, new Map([['a', entry]]), '1').receive_kbps, 0);
});

// --- the page ---

for (const [device, width, height] of [['phone', 374, 690], ['desktop', 1240, 640], ['small laptop', 1000, 460]]) {
  test(`1 to 20 tiles fit on a ${device} and shrink as people come`, () => {
    let before = Infinity;
    for (let count = 1; count <= 20; count++) {
      const tile = tileSize(count, width, height, 10);
      const rows = Math.ceil(count / tile.columns);
      assert.ok(tile.columns * tile.width + (tile.columns - 1) * 10 <= width, `${count}: too wide`);
      assert.ok(rows * tile.height + (rows - 1) * 10 <= height, `${count}: too high`);
      assert.ok(tile.width >= 88 && tile.height >= 72, `${count}: ${tile.width}x${tile.height} shows nobody`);
      assert.ok(tile.width * tile.height <= before * 1.25, `${count}: much larger than with one less`);
      before = tile.width * tile.height;
    }
  });
}

test('more than fit scroll, at the smallest size', () => {
  const tile = tileSize(200, 374, 690, 10);
  assert.ok(tile.scrolls && tile.width >= 88 && tile.columns === 3);
  assert.ok(!tileSize(20, 374, 690, 10).scrolls);
});

test('names have colours far apart', () => {
  assert.notEqual(Math.round(hueOf('Ada') / 10), Math.round(hueOf('Ade') / 10));
  assert.ok(hueOf('') >= 0 && hueOf('Zoë') < 360);
});
