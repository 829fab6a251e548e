/** The page in the README, as it stands there: two of them make a call. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { launchChromium } from '../lib/browsers.js';
import { until } from '../lib/person.js';
import { startServer } from '../lib/server.js';

const TIMEOUT = { timeout: 120_000 };

describe('the page in the README', () => {
  let server, browser;

  before(async () => {
    server = await startServer();
    browser = await launchChromium();
  }, TIMEOUT);
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test('is short, and is a call', TIMEOUT, async () => {
    const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
    const html = /```html\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    const lines = html.split('\n').filter(Boolean).length;
    assert.ok(lines > 5 && lines < 30, `${lines} lines`);
    const open = async () => {
      const page = await (await browser.newContext()).newPage();
      const said = [];
      page.on('pageerror', (error) => assert.fail(String(error)));
      page.on('console', (message) => said.push(message.text()));
      await page.route('**/hello.html', (route) => route.fulfill({ contentType: 'text/html', body: html }));
      await page.goto(`${server.url}/hello.html`);
      return { page, said };
    };
    const [one, two] = [await open(), await open()];
    for (const { page } of [one, two]) {
      const moving = () => page.evaluate(() => [...document.querySelectorAll('video')].filter((video) => !video.hidden && video.currentTime > 1).length);
      await until('the other is seen', async () => (await moving()) === 1, { explain: moving });
    }
    await until('both have read both greetings', () => [one, two].every(({ said }) => said.filter((line) => line.includes('Hello!')).length === 2));
  });
});
