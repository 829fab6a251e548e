/** Takes pictures of the page in many situations, into tests/output/looks: `npm run looks`. For eyes; nothing is asserted. */

import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { serveFiles } from '../lib/static.js';
import { CHROMIUM, CHROMIUM_FLAGS } from '../lib/browsers.js';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const files = await serveFiles({ '/': here('../../../client-demo/web/'), '/app/boot.js': here('boot.js') });
const output = here('../../output/looks/');
await mkdir(output, { recursive: true });

const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 800 };
const SHOTS = [
  ['lobby', 'name=Grace&room=harbour', {}],
  ['lobby-refused', 'name=Grace&room=harbour&reach=no', { refuse: true }],
  ['lobby-error', 'name=Grace&room=harbour&error=room_full', { join: true }],
  ...[0, 1, 2, 5, 19].map((others) => [`call-${others + 1}`, `name=Grace&room=harbour&mock=${others}`, { join: true }]),
  ...[1, 5, 19].map((others) => [`call-paused-${others + 1}`, `name=Grace&room=harbour&paused=1&mock=${others}`, { join: true }]),
  ['call-pinned-6', 'name=Grace&room=harbour&mock=5', { join: true, pin: 'p2/person' }],
  ['call-pinned-20', 'name=Grace&room=harbour&mock=19&paused=1', { join: true, pin: 'p4/person' }],
  ['call-screen', 'name=Grace&room=harbour&mock=5&screen=1', { join: true }],
  ['call-quality', 'name=Grace&room=harbour&mock=5', { join: true, quality: true }],
  ['call-chat', 'name=Grace&room=harbour&mock=5&chat=1', { join: true, chat: true }],
  ['call-unread', 'name=Grace&room=harbour&mock=2&chat=1&away=1', { join: true }],
  ['call-reconnecting', 'name=Grace&room=harbour&mock=0&state=reconnecting', { join: true }],
  ['call-restarting', 'name=Grace&room=a-rather-long-name-of-a-room&mock=5&state=reconnecting&dead=1&reason=shutting_down', { join: true }],
  ['call-media-lost', 'name=Grace&room=harbour&mock=5&state=reconnecting&dead=1&reason=media_lost', { join: true }],
  ['call-menu', 'name=Grace&room=harbour&mock=5', { join: true, click: '#toggle-room-menu' }],
  ['call-tile-menu', 'name=Grace&room=harbour&mock=19', { join: true, open: '[data-tile="p18/person"] .tile-menu' }],
  ['call-tile-menu-6', 'name=Grace&room=harbour&mock=5', { join: true, open: '[data-tile="p1/person"] .tile-menu' }],
  ['class-waiting', 'name=Grace&room=harbour&wait=1', { join: true }],
  ['class-notice', 'name=Grace&room=harbour&mock=5&waits=3', { join: true }],
  ['class-people', 'name=Grace&room=harbour&mock=5&waits=2&groups=2', { join: true, people: true }],
  ['class-people-20', 'name=Grace&room=harbour&mock=19', { join: true, people: true }],
  ['class-group', 'name=Grace&room=harbour&mock=2&group=Group%201', { join: true }],
  ['class-spotlight', 'name=Grace&room=harbour&mock=5&spotlight=1', { join: true }],
  ['call-more', 'name=Grace&room=harbour&mock=5', { join: true, click: '#toggle-more', narrow: true }],
  ['ring-in', 'name=Grace&room=harbour&ring=in', {}],
  ['ring-out', 'name=Grace&room=harbour&ring=out', { ring: 'Ada' }],
  ...['access_denied', 'room_locked', 'too_many_joins', 'unreachable'].map((code) => [`error-${code}`, `name=Grace&room=harbour&error=${code}`, { join: true }]),
  ['zh-lobby', 'lang=zh&name=小明&room=初二三班&ring=1', {}],
  ['zh-call', 'lang=zh&name=小明&room=初二三班&mock=5&chat=1&paused=1', { join: true, chat: true }],
  ['zh-class', 'lang=zh&name=小明&room=初二三班&mock=5&waits=2&groups=2', { join: true, people: true }],
  ['zh-class-waiting', 'lang=zh&name=小明&room=初二三班&wait=1', { join: true }],
  ['zh-quality', 'lang=zh&name=小明&room=初二三班&mock=5', { join: true, quality: true }],
];

const only = process.argv[2];
const browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_FLAGS });
for (const [device, viewport] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
  for (const colorScheme of ['light', 'dark']) {
    for (const [name, query, what] of SHOTS) {
      if (only && !new RegExp(only).test(`${name}-${device}-${colorScheme}`)) continue;
      if (what.narrow && device !== 'phone') continue;
      const context = await browser.newContext({ viewport, colorScheme, deviceScaleFactor: 1 });
      const page = await context.newPage();
      page.on('pageerror', (error) => console.error(name, error.message));
      page.on('console', (message) => message.type() === 'error' && console.error(name, message.text()));
      if (what.refuse) {
        await page.addInitScript(() => {
          navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
        });
      }
      await page.goto(`${files.url}/?${query}`);
      await page.waitForSelector('#reach:not([data-reachable="wait"])');
      if (what.join) await page.click('#join');
      if (what.pin) {
        await page.focus(`[data-tile="${what.pin}"] .tile-pin`);
        await page.keyboard.press('Enter');
      }
      if (what.chat) await page.click('#toggle-chat');
      if (what.quality) {
        if (device === 'phone') await page.click('#toggle-more');
        await page.click('#toggle-quality');
      }
      if (what.people) {
        await page.click('#toggle-room-menu');
        await page.click('#open-people');
      }
      if (what.click) await page.click(what.click);
      if (what.open) await page.evaluate((menu) => (document.querySelector(menu).open = true), what.open);
      if (what.ring) {
        await page.fill('#ring-to', what.ring);
        await page.press('#ring-to', 'Enter');
      }
      await page.waitForTimeout(700); // Pictures for eyes: nothing depends on this time.
      await page.screenshot({ path: `${output}${name}-${device}-${colorScheme}.png` });
      await context.close();
    }
  }
}
await browser.close();
await files.close();
