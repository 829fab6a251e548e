/**
 * The demo page with a room that is made up, to look at it without a server:
 * `?mock=5` people besides us, `&screen=1` one shares a screen, `&paused=1` every other one is paused, `&state=reconnecting` and `&reason=media_lost`,
 * `&reach=no`, `&error=room_full`, `&waits=3` people who wait to be let in, `&groups=2`, `&group=Group 1` where we are, `&wait=1` we wait ourselves, `&ring=in` or `out`, `&lang=zh`.
 */

import { CallError, Emitter } from '../sdk/index.js';
import { start } from './page.js';

const asked = new URLSearchParams(location.search);
const NAMES = ['Ada', 'Grace', 'Jean Bartik', 'Hedy', 'Katherine Johnson', 'Mary', 'Radia', 'Barbara', 'Shafi', 'Frances', 'Annie',
  'Edith', 'Karen', 'Lynn', 'Margaret Hamilton', 'Betty', 'Dorothy', 'Evelyn', 'Adele', 'Joan'];

/** Head and shoulders, so that the grid is judged by what it will hold. */
function portrait(index) {
  const canvas = Object.assign(document.createElement('canvas'), { width: 960, height: 540 });
  const c = canvas.getContext('2d');
  const hue = (index * 67) % 360;
  c.fillStyle = `hsl(${hue} 24% 68%)`;
  c.fillRect(0, 0, 960, 540);
  c.fillStyle = `hsl(${hue} 22% 58%)`;
  c.fillRect(620, 60, 240, 300);
  c.fillStyle = `hsl(${(hue + 150) % 360} 35% 38%)`;
  c.beginPath(); c.ellipse(480, 570, 270, 220, 0, 0, 7); c.fill();
  c.fillStyle = `hsl(${20 + (index % 4) * 5} 42% ${38 + (index % 5) * 9}%)`;
  c.beginPath(); c.ellipse(480, 250, 105, 135, 0, 0, 7); c.fill();
  c.fillStyle = `hsl(${(index * 41) % 50} 35% ${14 + (index % 3) * 12}%)`;
  c.beginPath(); c.ellipse(480, 165, 118, 80, 0, Math.PI, 0); c.fill();
  return canvas.captureStream(2).getVideoTracks()[0];
}

function slides() {
  const canvas = Object.assign(document.createElement('canvas'), { width: 1600, height: 900 });
  const c = canvas.getContext('2d');
  c.fillStyle = '#fff'; c.fillRect(0, 0, 1600, 900);
  c.fillStyle = '#222'; c.font = '64px sans-serif'; c.fillText('What one packet costs', 110, 150);
  [320, 610, 480, 720, 260].forEach((length, row) => { c.fillStyle = `hsl(${170 + row * 12} 50% 42%)`; c.fillRect(110, 240 + row * 110, length * 1.6, 70); });
  return canvas.captureStream(2).getVideoTracks()[0];
}

class MockView extends Emitter {
  constructor(participant, share, index, shown) {
    super();
    const paused = asked.has('paused') && index % 2 === 1 ? 'bandwidth' : null;
    const quality = { mid: `v${index}${share}`, encoding: paused ? null : 1, spatial: 0, temporal: 2, kbps: 400, width: 480, height: 270, paused };
    Object.assign(this, { participant, share, shown, quality, pinned: false, priority: 0, slot: { mids: { audio: `a${index}${share}`, video: `v${index}${share}` } } });
    this.video = new MediaStream([share === 'screen' ? slides() : portrait(index)]);
    this.audio = new MediaStream();
  }

  attach(element) {
    element.srcObject = this.video;
    void element.play();
  }
}

const layer = (encoding) => ({ layer: { encoding, spatial: 0, temporal: 2 } });

class MockMessages extends Emitter {
  list = [];
  waiting = [];

  say(participant, name, topic, body) {
    const message = { seq: this.list.length + 1, at_ms: Date.UTC(2026, 0, 5, 9, this.list.length), participant, name, topic, body };
    this.list.push(message);
    this.emit('message', message);
    this.emit('changed', undefined);
  }

  async post(topic, body) {
    this.say('me', 'Grace', topic, body);
    return this.list.length;
  }

  setState() {}
}

class MockCall extends Emitter {
  messages = new MockMessages();
  state = 'idle';
  self = null;
  participants = [];
  views = [];
  speakers = [];
  grants = { publish: ['microphone', 'camera', 'screen', 'screen_audio'], subscribe: true, data: true, moderate: true, hidden: false, record: true };
  mediaAlive = !asked.has('dead');
  reason = asked.has('reason') ? new CallError(asked.get('reason'), 'as asked for') : null;
  role = 'teacher';
  group = null;
  waiting = Array.from({ length: Number(asked.get('waits') ?? 0) }, (_, index) => ({ id: `w${index}`, name: NAMES[(index + 6) % NAMES.length] }));
  groups = [];
  setting = {
    locked: false, waiting: asked.has('waits'), publish: ['camera', 'screen', 'screen_audio', ...(asked.has('groups') ? [] : ['microphone'])],
    spotlight: asked.has('spotlight') ? 'p1' : null,
  };
  async moderate() {}

  stages = { signaling_ms: 6.1, ice_ms: 24.4, dtls_ms: 41.3, first_packet_ms: 48.9, first_audio_ms: 83.5, first_frame_ms: 121.2 };

  quality = {
    estimate_kbps: 740, wanted_kbps: 2990,
    decisions: [
      { at_ms: -95_000, participant: 'p0', text: '', from: 'nothing', to: layer(2), why: 'began', estimate_kbps: 2100, budget_kbps: 2010, needed_kbps: 1300, width: 960, height: 540 },
      { at_ms: -4_000, participant: 'p0', text: '', from: layer(2), to: layer(1), why: 'congestion', estimate_kbps: 740, budget_kbps: 700, needed_kbps: 1300, width: 960, height: 540 },
      { at_ms: -3_000, participant: 'p1', text: '', from: layer(0), to: { paused: 'bandwidth' }, why: 'congestion', estimate_kbps: 740, budget_kbps: 60, needed_kbps: 120, width: 480, height: 270 },
      { at_ms: -1_000, participant: 'p1', text: 'layer 0.0.2 to layer 1.0.2: for a reason that this page does not know', from: layer(0), to: layer(1), why: 'later' },
    ],
  };

  prepare() {
    setTimeout(() => this.emit('reachable', asked.get('reach') !== 'no'), 50);
  }

  async join({ room, name }) {
    if (asked.has('error')) throw new CallError(asked.get('error'), 'as asked for');
    if (asked.has('wait')) {
      this.state = 'waiting';
      this.emit('state', 'waiting');
      await new Promise(() => {});
    }
    Object.assign(this, { room, name, self: 'me' });
    const count = Number(asked.get('mock') ?? 0);
    for (let i = 0; i < count; i++) {
      const id = `p${i}`;
      const muted = i % 7 === 4;
      const tracks = [
        { mid: '0', kind: 'audio', source: 'microphone', muted: i % 3 === 1, active: true },
        { mid: '1', kind: 'video', source: 'camera', muted, active: true },
      ];
      this.views.push(new MockView(id, 'person', i, i % 9 !== 5));
      if (i === 1 && asked.has('screen')) {
        tracks.push({ mid: '2', kind: 'video', source: 'screen', muted: false, active: true });
        this.views.push(new MockView(id, 'screen', i, true));
      }
      const role = i === 0 ? 'assistant' : i % 4 === 3 ? 'audience' : 'student';
      this.participants.push({ id, name: NAMES[i % NAMES.length], role, tracks, connected: !(asked.has('away') && i === 2) });
    }
    this.speakers = count > 0 ? ['p0'] : [];
    if (asked.has('chat')) {
      this.messages.say('p0', NAMES[0], 'chat', 'Good morning! Can everybody see the slides?');
      this.messages.say('me', 'Grace', 'chat', 'Yes, very well.');
      this.messages.say('p1', NAMES[1], 'chat', 'The link of last week is at https://example.org/a-rather-long-address/that-does-not-fit-on-one-line-of-a-phone');
      this.messages.say('p1', NAMES[1], 'hand', 'up');
      this.messages.say('p2', NAMES[2], 'chat', '大家好，声音很清楚。');
      this.messages.waiting.push({ key: 'k', topic: 'chat', body: 'One moment, my connection is bad' });
      setTimeout(() => this.messages.emit('state', { participant: 'p0', key: 'typing', value: 'true' }), 100);
    }
    const groups = Array.from({ length: Number(asked.get('groups') ?? 0) }, (_, index) => `Group ${index + 1}`);
    const elsewhere = (index) => [{ id: `g${index}`, name: NAMES[(index + 10) % NAMES.length] }];
    if (groups.length > 0) this.groups = [{ group: null, people: [] }, ...groups.map((group, index) => ({ group, people: elsewhere(index) }))];
    if (asked.has('group')) setTimeout(() => this.emit('moved', (this.group = asked.get('group'))), 60);
    setTimeout(() => this.emit('waiting', this.waiting), 60);
    this.state = asked.get('state') ?? 'joined';
    for (const view of this.views) this.emit('bound', view);
    setTimeout(() => this.emit('state', this.state), 50);
  }

  leave() {
    this.state = 'left';
    this.emit('state', 'left');
  }

  view(participant, share) {
    return this.views.find((view) => view.participant === participant && view.share === share);
  }

  async publish() {}

  async stats() {
    const by_mid = new Map(this.views.flatMap((view, index) => [
      [view.slot.mids.audio, { audio_kbps: 34, audio_loss_pct: 0, concealed_pct: index === 2 ? 1.4 : 0 }],
      [view.slot.mids.video, { video_kbps: 900 + index * 40, video_loss_pct: 0.2, width: 960, height: 540, fps: 30, freezes: index === 2 ? 3 : 0, frozen_s: index === 2 ? 1.4 : 0 }],
    ]));
    return {
      rtt_ms: 23, send_kbps: 1840, receive_kbps: 950 * this.views.length, send_loss_pct: 0.1, available_send_kbps: 2600, path: 'udp 192.0.2.7:3478',
      layers: [240, 480, 960].map((width) => ({ rid: 'x', width, height: (width * 9) / 16, fps: 30, kbps: 400, limited: 'none' })), by_mid,
    };
  }
}

class MockRing extends Emitter {
  id = 'c1';
  other = 'ada';
  name = 'Ada';
  room = 'call';
  token = 't';
  state = 'ringing';

  constructor(role) {
    super();
    this.role = role;
  }

  async accept() {}
  async reject() {}
  async end() {}
}

class MockPhone extends Emitter {
  state = 'ready';

  constructor() {
    super();
    if (asked.get('ring') === 'in') setTimeout(() => this.emit('incoming', new MockRing('callee')), 100);
  }

  async invite() {
    return new MockRing('caller');
  }

  close() {}
}

start({ createCall: () => new MockCall(), createPhone: () => (asked.has('ring') ? new MockPhone() : null) });
