/**
 * Somebody in front of a browser, in words of what they do and see. Works on a page of Playwright (Chromium) and of
 * Puppeteer (Firefox), which have the few calls used here in common.
 */

import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const OUTPUT = fileURLToPath(new URL('../../output/', import.meta.url));
/** Two cores that encode for several pages are slow; a test that fails should not fail because of that. */
export const LIMIT_MS = 45_000;
const POLL_EVERY_MS = 100;

/**
 * Asks until the answer is truthy.
 * @template T
 * @param {string} what is waited for, for the message
 * @param {() => Promise<T> | T} ask
 * @param {{limit_ms?: number, explain?: () => Promise<unknown> | unknown}} [options] `explain`: what to print when it never comes
 * @returns {Promise<T>}
 */
export async function until(what, ask, { limit_ms = LIMIT_MS, explain } = {}) {
  const end = performance.now() + limit_ms;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) {
      const seen = explain ? `; seen: ${JSON.stringify(await explain(), null, 1)}` : '';
      throw new Error(`${what}: not within ${limit_ms / 1000} s${seen}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_EVERY_MS));
  }
}

/** Runs in the page before its own code: keeps the connections it makes where a test can ask them. */
function keepConnections() {
  const Original = window.RTCPeerConnection;
  window.testPeers = [];
  if (!Original) return;
  window.RTCPeerConnection = class extends Original {
    constructor(...args) {
      super(...args);
      window.testPeers.push(this);
    }
  };
}

/** In the page: what its live connection receives and sends. */
async function readStats() {
  const peer = window.testPeers.filter((one) => one.connectionState === 'connected').at(-1);
  const stats = { video: {}, audio: {}, sent: {} };
  if (!peer) return stats;
  const mids = new Map(peer.getTransceivers().map((one) => [one.receiver.track.id, one.mid]));
  (await peer.getStats()).forEach((entry) => {
    if (entry.type === 'inbound-rtp') {
      const mid = entry.mid ?? mids.get(entry.trackIdentifier);
      if (entry.kind === 'video') stats.video[mid] = { frames: entry.framesDecoded ?? 0, freezes_s: entry.totalFreezesDuration ?? 0, width: entry.frameWidth, height: entry.frameHeight };
      else stats.audio[mid] = { energy: entry.totalAudioEnergy ?? 0, samples: entry.totalSamplesReceived ?? 0, concealed: (entry.concealedSamples ?? 0) - (entry.silentConcealedSamples ?? 0) };
    }
    if (entry.type === 'outbound-rtp') stats.sent[`${entry.mid}${entry.rid ?? ''}`] = { packets: entry.packetsSent, frames: entry.framesEncoded, width: entry.frameWidth };
  });
  return stats;
}

/** In the page: every tile as a person sees it, and the middle of its picture. */
function readTiles() {
  const canvas = Object.assign(document.createElement('canvas'), { width: 8, height: 8 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  return [...document.querySelectorAll('#grid > .tile, #featured > .tile')].map((tile) => {
    const video = tile.querySelector('video');
    let pixel = null;
    if (video && video.videoWidth > 0) {
      context.drawImage(video, 0, 0, 8, 8);
      pixel = [...context.getImageData(4, 1, 1, 1).data].slice(0, 3);
    }
    return {
      key: tile.dataset.tile, name: tile.querySelector('.tile-name').textContent, picture: tile.dataset.picture === 'shown',
      problem: tile.dataset.problem ?? '', status: tile.querySelector('.tile-status').textContent, muted: !tile.querySelector('.tile-muted').hidden, speaking: tile.classList.contains('speaking'),
      pixel, time: video?.currentTime ?? 0, width: video?.videoWidth ?? 0,
    };
  });
}

export class Person {
  /** @type {string[]} What the page complained about. */ complaints = [];

  /** @param {any} page @param {string} name */
  constructor(page, name) {
    this.page = page;
    this.name = name;
    page.on('pageerror', (error) => this.complaints.push(String(error.message ?? error)));
    page.on('console', (message) => message.type() === 'error' && this.complaints.push(message.text()));
  }

  /** @param {any} page @param {string} name @param {string} url @param {{room?: string, token?: string, key?: string, more?: string}} [options] `more`: of the query */
  static async open(page, name, url, { room = 'test', token, key, more = '' } = {}) {
    const person = new Person(page, name);
    if (page.addInitScript) await page.addInitScript(keepConnections);
    else await page.evaluateOnNewDocument(keepConnections);
    const query = `name=${encodeURIComponent(name)}&room=${encodeURIComponent(room)}${token ? `&token=${encodeURIComponent(token)}` : ''}${more}`;
    await page.goto(`${url}/?${query}${key ? `#key=${encodeURIComponent(key)}` : ''}`);
    return person;
  }

  /** Clicks Join and waits for the call. */
  async join() {
    await this.page.waitForSelector('#reach[data-reachable="true"]', { timeout: LIMIT_MS });
    await this.page.click('#join');
    await until(`${this.name} joins`, () => this.page.evaluate(() => !document.getElementById('call').hidden), {
      explain: () => this.page.evaluate(() => document.getElementById('join-error').textContent),
    });
    return this;
  }

  click(selector) {
    return this.page.click(selector);
  }

  stats() {
    return this.page.evaluate(readStats);
  }

  tiles() {
    return this.page.evaluate(readTiles);
  }

  /** @param {string} selector */
  text(selector) {
    return this.page.evaluate((one) => document.querySelector(one)?.textContent ?? '', selector);
  }

  /** @param {string} selector */
  isVisible(selector) {
    return this.page.evaluate((one) => document.querySelector(one)?.checkVisibility() ?? false, selector);
  }

  /**
   * The tile with this name has a picture that moves. A tile may go and come anew in between.
   * @param {string} name
   */
  async sees(name) {
    const find = async () => (await this.tiles()).find((tile) => tile.name === name);
    await until(`${this.name} sees ${name}`, async () => (await find())?.picture, { explain: () => this.tiles() });
    let moving = null;
    let since = Infinity;
    await until(`${name}’s picture moves for ${this.name}`, async () => {
      const tile = await find();
      since = Math.min(since, tile?.picture ? tile.time : Infinity);
      moving = tile?.time > since + 0.5 ? tile : null;
      return moving;
    }, { explain: () => this.tiles() });
    return moving;
  }

  /** @param {string} name */
  async seesNot(name) {
    await until(`${name}’s tile goes away for ${this.name}`, async () => !(await this.tiles()).some((tile) => tile.name === name), { explain: () => this.tiles() });
  }

  /**
   * Frames of so many people are decoded, and sound with energy in it is played of so many.
   * @param {number} pictures @param {number} sounds
   */
  async receives(pictures, sounds = pictures) {
    const before = await this.stats();
    const grown = (after, kind, field, by) => Object.entries(after[kind])
      .filter(([mid, entry]) => entry[field] >= (before[kind][mid]?.[field] ?? 0) + by).length;
    await until(`${this.name} receives ${pictures} pictures and ${sounds} sounds`, async () => {
      const after = await this.stats();
      return grown(after, 'video', 'frames', 15) >= pictures && grown(after, 'audio', 'energy', 1e-5) >= sounds;
    }, { explain: async () => ({ before, after: await this.stats() }) });
  }

  /** @param {string} file */
  async screenshot(file) {
    await mkdir(OUTPUT, { recursive: true });
    await this.page.screenshot({ path: `${OUTPUT}${file}.png` });
  }
}
