/** The quality panel: how long connecting took, and how well it goes now. */

import { STAGES } from '../sdk/index.js';
import { make } from './dom.js';
import { decisionWords } from './words/index.js';

/** @import {Call, CallStats, SlotView, Stages} from '../sdk/index.js' */
/** @import {Surface} from './dom.js' */
/** @import {Words} from './words/index.js' */

/** Browsers gather their own figures once a second. */
const EVERY_MS = 1000;

/** Lines of the log that fit a glance. */
const SHOWN_DECISIONS = 12;

export class Quality {
  #words;
  #panel;
  #figures;
  #button;
  /** @type {Call | null} */ #call = null;
  /** @type {any} */ #timer = null;

  /** @param {Surface} surface */
  constructor(surface) {
    this.#words = surface.words;
    this.#panel = surface.find('quality');
    this.#figures = surface.find('quality-figures');
    this.#button = surface.find('toggle-quality');
    this.#button.addEventListener('click', () => this.open(this.#panel.hidden));
    const close = () => {
      this.open(false);
      this.#button.focus();
    };
    surface.find('quality-close').addEventListener('click', close);
    this.#panel.addEventListener('keydown', (event) => event.key === 'Escape' && close());
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
    const words = this.#words;
    const scrolled = this.#figures.scrollTop;
    this.#figures.replaceChildren(
      make('h3', '', words.quality.connecting), stagesView(words, call.stages),
      ...(stats ? [make('h3', '', words.quality.own), ownView(words, stats), make('h3', '', words.quality.receiving), linkView(words, call), othersView(words, call, stats)] : []),
      ...decisionsView(words, call),
    );
    this.#figures.scrollTop = scrolled;
  }
}

/** A bar from each stage to the next, on one scale. @param {Words} words @param {Stages} stages */
function stagesView(words, stages) {
  const reached = STAGES.map((stage) => ({ stage, ms: stages[`${stage}_ms`] }));
  const longest = Math.max(1, ...reached.map(({ ms }) => ms ?? 0));
  const rows = reached.map(({ stage, ms }) => {
    const bar = make('span', 'bar');
    bar.style.setProperty('--share', String((ms ?? 0) / longest));
    const value = make('span', 'value', ms === undefined ? '–' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`);
    const row = make('li', '', make('span', 'what', words.quality.stages[stage]), bar, value);
    row.dataset.stage = stage;
    return row;
  });
  return make('ol', 'stages', ...rows);
}

/** @param {Words} words @param {CallStats} stats */
function ownView({ quality: words }, stats) {
  return figures([
    [words.roundTrip, stats.rtt_ms === null ? '–' : `${stats.rtt_ms.toFixed(stats.rtt_ms < 10 ? 1 : 0)} ms`],
    [words.sending, words.lost(kbps(stats.send_kbps), stats.send_loss_pct.toFixed(1))],
    [words.receiving, kbps(stats.receive_kbps)],
    [words.couldSend, stats.available_send_kbps === null ? '–' : kbps(stats.available_send_kbps)],
    [words.layers, stats.layers.map((layer) => `${layer.width}×${layer.height}`).join(', ') || '–'],
    [words.path, stats.path || '–'],
  ]);
}

/** @param {string[][]} rows */
function figures(rows) {
  const list = make('dl', 'figures');
  for (const [what, value] of rows) list.append(make('dt', '', what), make('dd', '', value));
  return list;
}

/** @param {Words} words @param {Call} call */
function linkView({ quality: words }, { quality }) {
  const list = figures([
    [words.carries, quality.estimate_kbps === null ? words.unknown : kbps(quality.estimate_kbps)],
    [words.best, kbps(quality.wanted_kbps)],
  ]);
  list.id = 'link-quality';
  return list;
}

/** What is sent of somebody's picture, and why not more. @param {Words} words @param {SlotView} view */
function layerText({ quality: words }, { quality }) {
  if (!quality) return '–';
  if (quality.paused) return words.paused(words.pauses[quality.paused]);
  if (quality.encoding === null) return '–';
  const size = quality.height > 0 ? `${quality.width}×${quality.height}` : words.layer(quality.encoding + quality.spatial + 1);
  return quality.temporal > 0 ? `${size} T${quality.temporal}` : size;
}

/** Newest first: what the server changed, and the figures that decided. @param {Words} words @param {Call} call */
function decisionsView(words, call) {
  const { decisions } = call.quality;
  if (decisions.length === 0) return [];
  const now_ms = performance.now();
  const names = new Map(call.participants.map(({ id, name }) => [id, name]));
  const rows = decisions.slice(-SHOWN_DECISIONS).reverse().map((decision) => {
    const { at_ms, participant } = decision;
    const who = make('b', '', `${names.get(participant ?? '') ?? words.quality.somebody}: `);
    return make('li', '', make('time', '', ago(words.quality, now_ms - at_ms)), make('span', '', who, decisionWords(words, decision)));
  });
  return [make('h3', '', words.quality.changes), make('ol', 'decisions', ...rows)];
}

/** @param {Words['quality']} words @param {number} ms */
const ago = (words, ms) => (ms < 60_000 ? `${Math.round(ms / 1000)} ${words.seconds}` : `${Math.round(ms / 60_000)} ${words.minutes}`);

/** @param {Words} words @param {Call} call @param {CallStats} stats */
function othersView(words, call, stats) {
  const rows = call.participants.flatMap((participant) => ['person', 'screen'].flatMap((share) => {
    const view = call.view(participant.id, /** @type {'person' | 'screen'} */ (share));
    if (!view) return [];
    const audio = stats.by_mid.get(view.slot.mids.audio) ?? {};
    const video = stats.by_mid.get(view.slot.mids.video) ?? {};
    const name = make('th', '', share === 'screen' ? words.screenOf(participant.name) : participant.name);
    name.scope = 'row';
    return [make('tr', '', name, ...[
      video.height ? `${video.height}p · ${Math.round(video.fps ?? 0)}` : '–',
      layerText(words, view),
      kbps((audio.audio_kbps ?? 0) + (video.video_kbps ?? 0)),
      `${Math.max(audio.audio_loss_pct ?? 0, video.video_loss_pct ?? 0).toFixed(1)} %`,
      `${(audio.concealed_pct ?? 0).toFixed(1)} %`,
      (video.freezes ?? 0) === 0 ? '0' : `${video.freezes} (${(video.frozen_s ?? 0).toFixed(1)} s)`,
    ].map((text) => make('td', '', text)))];
  }));
  if (rows.length === 0) return make('p', 'nobody', words.quality.nobody);
  const head = make('tr', '', ...words.quality.columns.map((text) => {
    const cell = make('th', '', text);
    cell.scope = 'col';
    return cell;
  }));
  const scroller = make('div', 'table', make('table', '', make('thead', '', head), make('tbody', '', ...rows)));
  scroller.tabIndex = 0;
  scroller.setAttribute('role', 'region');
  scroller.setAttribute('aria-label', words.quality.table);
  return scroller;
}

/** @param {number} value in kbit/s */
const kbps = (value) => (value >= 1000 ? `${(value / 1000).toFixed(1)} Mb/s` : `${value.toFixed(0)} kb/s`);
