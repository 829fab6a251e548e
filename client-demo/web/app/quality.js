/** The quality panel: how long connecting took, and how well it goes now. */

import { STAGES } from '../sdk/index.js';
import { byId, make } from './dom.js';

/** @import {Call, SlotView} from '../sdk/index.js' */
/** @import {PauseReason, Stages} from '../sdk/wire.js' */
/** @import {CallStats} from '../sdk/stats.js' */

/** Browsers gather their own figures once a second. */
const EVERY_MS = 1000;

/** @type {Record<typeof STAGES[number], string>} */
const NAMES = {
  signaling: 'Signaling', ice: 'ICE', dtls: 'DTLS', first_packet: 'First packet', first_audio: 'First audio', first_frame: 'First frame',
};

/** Lines of the log that fit a glance. */
const SHOWN_DECISIONS = 12;

/** @type {Record<PauseReason, string>} */
const PAUSES = { hidden: 'not on screen', bandwidth: 'link too slow', last_n: 'many cameras', quiet: 'others are louder' };

export class Quality {
  #panel = byId('quality');
  #button = byId('toggle-quality');
  /** @type {Call | null} */ #call = null;
  /** @type {any} */ #timer = null;

  constructor() {
    this.#button.addEventListener('click', () => this.open(this.#panel.hidden));
    this.#panel.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      this.open(false);
      this.#button.focus();
    });
  }

  /** @param {Call | null} call */
  use(call) {
    this.#call = call;
    if (!call) return this.open(false);
    call.on('stages', () => void this.#refresh());
    call.on('quality', () => void this.#refresh());
  }

  /** @param {boolean} open */
  open(open) {
    this.#panel.hidden = !open;
    this.#button.setAttribute('aria-expanded', String(open));
    clearInterval(this.#timer);
    this.#timer = open ? setInterval(() => void this.#refresh(), EVERY_MS) : null;
    if (open) void this.#refresh();
  }

  async #refresh() {
    const call = this.#call;
    if (!call || this.#panel.hidden) return;
    const stats = await call.stats();
    if (call !== this.#call || this.#panel.hidden) return;
    const scrolled = this.#panel.scrollTop;
    this.#panel.replaceChildren(
      make('h2', '', 'Connecting'), stagesView(call.stages),
      ...(stats ? [make('h2', '', 'This device'), ownView(stats), make('h2', '', 'Receiving'), linkView(call), othersView(call, stats)] : []),
      ...decisionsView(call),
    );
    this.#panel.scrollTop = scrolled;
  }
}

/** A bar from each stage to the next, on one scale. @param {Stages} stages */
function stagesView(stages) {
  const reached = STAGES.map((stage) => ({ stage, ms: stages[`${stage}_ms`] }));
  const longest = Math.max(1, ...reached.map(({ ms }) => ms ?? 0));
  const rows = reached.map(({ stage, ms }) => {
    const bar = make('span', 'bar');
    bar.style.setProperty('--share', String((ms ?? 0) / longest));
    const value = make('span', 'value', ms === undefined ? '–' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`);
    const row = make('li', '', make('span', 'what', NAMES[stage]), bar, value);
    row.dataset.stage = stage;
    return row;
  });
  return make('ol', 'stages', ...rows);
}

/** @param {CallStats} stats */
function ownView(stats) {
  const rows = [
    ['Round trip', stats.rtt_ms === null ? '–' : `${stats.rtt_ms.toFixed(stats.rtt_ms < 10 ? 1 : 0)} ms`],
    ['Sending', `${kbps(stats.send_kbps)}, ${stats.send_loss_pct.toFixed(1)} % lost`],
    ['Receiving', kbps(stats.receive_kbps)],
    ['Could send', stats.available_send_kbps === null ? '–' : kbps(stats.available_send_kbps)],
    ['Layers sent', stats.layers.map((layer) => `${layer.width}×${layer.height}`).join(', ') || '–'],
    ['Path', stats.path || '–'],
  ];
  const list = make('dl', 'figures');
  for (const [what, value] of rows) list.append(make('dt', '', what), make('dd', '', value));
  return list;
}

/** @param {Call} call */
function linkView({ quality }) {
  const rows = [
    ['Link carries', quality.estimate_kbps === null ? 'not known yet' : kbps(quality.estimate_kbps)],
    ['At its best', kbps(quality.wanted_kbps)],
  ];
  const list = make('dl', 'figures');
  for (const [what, value] of rows) list.append(make('dt', '', what), make('dd', '', value));
  list.id = 'link-quality';
  return list;
}

/** What is sent of somebody's picture, and why not more. @param {SlotView} view */
function layerText({ quality }) {
  if (!quality) return '–';
  if (quality.paused) return `paused: ${PAUSES[quality.paused]}`;
  if (quality.encoding === null) return '–';
  const size = quality.height > 0 ? `${quality.width}×${quality.height}` : `layer ${quality.encoding + 1}`;
  return quality.temporal > 0 ? `${size} T${quality.temporal}` : size;
}

/** Newest first: what the server changed, and the figures that decided. @param {Call} call */
function decisionsView(call) {
  const { decisions } = call.quality;
  if (decisions.length === 0) return [];
  const now_ms = performance.now();
  const names = new Map(call.participants.map(({ id, name }) => [id, name]));
  const rows = decisions.slice(-SHOWN_DECISIONS).reverse().map(({ at_ms, participant, text }) => {
    const who = make('b', '', `${names.get(participant ?? '') ?? 'Somebody who left'}: `);
    return make('li', '', make('time', '', ago(now_ms - at_ms)), make('span', '', who, text));
  });
  return [make('h2', '', 'What was changed, and why'), make('ol', 'decisions', ...rows)];
}

/** @param {number} ms */
const ago = (ms) => (ms < 60_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`);

/** @param {Call} call @param {CallStats} stats */
function othersView(call, stats) {
  const rows = call.participants.flatMap((participant) => ['person', 'screen'].flatMap((share) => {
    const view = call.view(participant.id, /** @type {'person' | 'screen'} */ (share));
    if (!view) return [];
    const audio = stats.by_mid.get(view.slot.mids.audio) ?? {};
    const video = stats.by_mid.get(view.slot.mids.video) ?? {};
    const name = make('th', '', share === 'screen' ? `${participant.name}’s screen` : participant.name);
    name.scope = 'row';
    return [make('tr', '', name, ...[
      video.height ? `${video.height}p · ${Math.round(video.fps ?? 0)}` : '–',
      layerText(view),
      kbps((audio.audio_kbps ?? 0) + (video.video_kbps ?? 0)),
      `${Math.max(audio.audio_loss_pct ?? 0, video.video_loss_pct ?? 0).toFixed(1)} %`,
      `${(audio.concealed_pct ?? 0).toFixed(1)} %`,
      (video.freezes ?? 0) === 0 ? '0' : `${video.freezes} (${(video.frozen_s ?? 0).toFixed(1)} s)`,
    ].map((text) => make('td', '', text)))];
  }));
  if (rows.length === 0) return make('p', 'nobody', 'Nobody else yet.');
  const head = make('tr', '', ...['From', 'Picture', 'Sent to you', 'Rate', 'Lost', 'Made up', 'Freezes'].map((text) => {
    const cell = make('th', '', text);
    cell.scope = 'col';
    return cell;
  }));
  const scroller = make('div', 'table', make('table', '', make('thead', '', head), make('tbody', '', ...rows)));
  scroller.tabIndex = 0;
  scroller.setAttribute('role', 'region');
  scroller.setAttribute('aria-label', 'Received from each person');
  return scroller;
}

/** @param {number} value in kbit/s */
const kbps = (value) => (value >= 1000 ? `${(value / 1000).toFixed(1)} Mb/s` : `${value.toFixed(0)} kb/s`);
