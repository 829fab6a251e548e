/** Real browsers, started as tests need them: a fresh profile each, fake devices, no waiting for anything. */

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

export const CHROMIUM_FLAGS = [
  '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream=fps=15', '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required', '--disable-background-timer-throttling', '--disable-renderer-backgrounding',
  '--disable-backgrounding-occluded-windows', '--auto-select-desktop-capture-source=Entire screen',
];

/** @param {{flags?: string[], without?: string[]}} [options] `without`: flags left out */
export async function launchChromium({ flags = [], without = [] } = {}) {
  if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is missing: install Chromium, or name another in CHROMIUM.`);
  const args = [...CHROMIUM_FLAGS.filter((flag) => !without.some((one) => flag.startsWith(one))), ...flags];
  return chromium.launch({ executablePath: CHROMIUM, args });
}

/** @param {{prefs?: Record<string, string | number | boolean>}} [options] */
export async function launchFirefox({ prefs = {} } = {}) {
  if (!existsSync(FIREFOX)) throw new Error(`${FIREFOX} is missing: install Firefox ESR, or name another in FIREFOX.`);
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: FIREFOX,
    headless: true,
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'media.autoplay.default': 0,
      'media.autoplay.blocking_policy': 0,
      // As Chromium's fake camera here: two cores that encode and decode for everybody have no more to give.
      'media.navigator.video.default_fps': 15,
      'media.navigator.video.default_minfps': 15,
      ...prefs,
    },
  });
}
