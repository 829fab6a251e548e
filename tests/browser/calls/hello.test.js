/** The page in the README, as it stands there: two of them make a call. */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { launchChromium } from '../lib/browsers.js';
import { until } from '../lib/person.js';
import { startServer } from '../lib/server.js';
import { serveFiles } from '../lib/static.js';

const TIMEOUT = { timeout: 120_000 };

describe('the page in the README', () => {
  let server, browser, files;

  before(async () => {
    server = await startServer();
    browser = await launchChromium();
  }, TIMEOUT);
  after(async () => {
    await browser?.close();
    await files?.close();
    await server?.stop();
  });

  test('is short, and is a call', TIMEOUT, async () => {
    const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
    const html = /```html\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    const lines = html.split('\n').filter(Boolean).length;
    assert.ok(lines > 5 && lines < 30, `${lines} lines`);
    // From a web server of one's own: only the address of the WebSocket is another one then.
    const file = join(mkdtempSync(join(tmpdir(), 'sampan-')), 'hello.html');
    writeFileSync(file, html.replace('${location.host}', new URL(server.url).host));
    files = await serveFiles({ '/sdk/': fileURLToPath(new URL('../../../client-demo/web/sdk/', import.meta.url)), '/hello.html': file });
    const open = async () => {
      const page = await (await browser.newContext()).newPage();
      const said = [];
      page.on('pageerror', (error) => assert.fail(String(error)));
      page.on('console', (message) => said.push(message.text()));
      await page.goto(`${files.url}/hello.html`);
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
