/** `<sampan-call>`: the page in the README as it stands there, then what an application relies on. */

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

const TIMEOUT = { timeout: 180_000 };

/** In the page: what somebody sees of the call inside the element. */
function look() {
  const root = document.querySelector('sampan-call').shadowRoot;
  const tiles = [...root.querySelectorAll('.tile')];
  return {
    inCall: !root.getElementById('call').hidden,
    names: tiles.map((tile) => tile.querySelector('.tile-name').textContent),
    moving: tiles.filter((tile) => tile.dataset.picture === 'shown' && (tile.querySelector('video')?.currentTime ?? 0) > 0.5).length,
    error: root.getElementById('join-error').textContent,
  };
}

describe('<sampan-call>', () => {
  let server, browser, files, html;
  const folder = mkdtempSync(join(tmpdir(), 'sampan-'));

  before(async () => {
    server = await startServer();
    browser = await launchChromium();
    const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
    html = [...readme.matchAll(/```html\n([\s\S]*?)```/g)].map(([, text]) => text).find((text) => text.includes('<sampan-call'));
    const web = (path) => fileURLToPath(new URL(`../../../client-demo/web/${path}/`, import.meta.url));
    files = await serveFiles({ '/sdk/': web('sdk'), '/ui/': web('ui'), '/pages/': `${folder}/` });
  }, TIMEOUT);
  after(async () => {
    await browser?.close();
    await files?.close();
    await server?.stop();
  });

  /** The page of the README on a web server of one's own: there the element is told where the calls are. */
  const open = async (name, { attributes = '', style = '', options = {} } = {}) => {
    const file = `${name}.html`;
    writeFileSync(join(folder, file), html
      .replace('name="Ann"', `name="${name}" server="${server.url}/ws" ${attributes}`)
      .replace('</style>', `${style}</style>`));
    const page = await (await browser.newContext(options)).newPage();
    page.on('pageerror', (error) => assert.fail(String(error)));
    await page.goto(`${files.url}/pages/${file}`);
    return page;
  };
  const join_ = async (page) => {
    await page.waitForSelector('#reach[data-reachable="true"]');
    await page.click('#join');
    await until('in the call', async () => (await page.evaluate(look)).inCall, { explain: () => page.evaluate(look) });
  };

  test('is ten lines, and a call', TIMEOUT, async () => {
    const lines = html.split('\n').filter(Boolean).length;
    assert.ok(lines <= 10, `${lines} lines`);
    const [ann, ben] = [await open('Ann'), await open('Ben')];
    for (const page of [ann, ben]) await join_(page);
    for (const page of [ann, ben]) {
      await until('both pictures move', async () => (await page.evaluate(look)).moving === 2, { explain: () => page.evaluate(look) });
    }
    assert.deepEqual((await ann.evaluate(look)).names, ['You', 'Ben']);
    await ann.context().close();
    await ben.context().close();
  });

  test('speaks the language it is given, by itself or from around it', TIMEOUT, async () => {
    const said = (page) => page.evaluate(() => {
      const root = document.querySelector('sampan-call').shadowRoot;
      return [root.getElementById('join').textContent, root.querySelector('.sampan').lang];
    });
    const asked = await open('Asked', { attributes: 'lang="zh-Hans"' });
    assert.deepEqual(await said(asked), ['加入', 'zh']);
    const around = await open('Around');
    assert.deepEqual(await said(around), ['Join', 'en'], 'the document is in English');
    await around.evaluate(() => {
      document.documentElement.removeAttribute('lang');
      const element = document.querySelector('sampan-call');
      element.replaceWith(element.cloneNode());
    });
    assert.deepEqual(await said(around), ['Join', 'en'], 'as the browser is');
    const chinese = await open('Chinese', { options: { locale: 'zh-CN' } });
    await chinese.evaluate(() => {
      document.documentElement.removeAttribute('lang');
      const element = document.querySelector('sampan-call');
      element.replaceWith(element.cloneNode());
    });
    assert.deepEqual(await said(chinese), ['加入', 'zh']);
    for (const page of [asked, around, chinese]) await page.context().close();
  });

  test('is themed from outside, used by keys and by name, and tells its page what happens', TIMEOUT, async () => {
    const page = await open('Cora', {
      style: 'sampan-call { --sampan-accent: rgb(120, 20, 200); color-scheme: dark; } sampan-call::part(leave) { letter-spacing: 7px; }',
    });
    const styles = () => page.evaluate(() => {
      const root = document.querySelector('sampan-call').shadowRoot;
      const of = (selector) => getComputedStyle(root.querySelector(selector));
      return [of('#join').backgroundColor, of('#leave').letterSpacing, of('.sampan').backgroundColor];
    });
    await page.waitForFunction(() => document.querySelector('sampan-call').shadowRoot.querySelector('.sampan').style.visibility === '');
    const themed = ['rgb(120, 20, 200)', '7px', 'rgb(15, 26, 28)'];
    await until('it is themed, once colours have changed over', async () => String(await styles()) === String(themed), { explain: styles });
    await page.evaluate(() => {
      window.told = [];
      for (const type of ['sampan-joined', 'sampan-left']) document.addEventListener(type, ({ detail }) => window.told.push([type, detail]));
    });
    assert.equal(await page.evaluate(() => document.activeElement), await page.evaluate(() => document.body), 'it takes nobody’s focus');
    await page.waitForSelector('#reach[data-reachable="true"]');
    await page.getByRole('button', { name: 'Join', exact: true }).focus();
    await page.keyboard.press('Enter');
    await until('in the call', async () => (await page.evaluate(look)).inCall, { explain: () => page.evaluate(look) });
    await page.getByRole('button', { name: 'Microphone', exact: true }).press('Space');
    await page.getByRole('button', { name: 'Microphone', exact: true, pressed: false }).waitFor();
    await page.screenshot({ path: fileURLToPath(new URL('../../output/element.png', import.meta.url)) });
    await page.getByRole('button', { name: 'Leave' }).press('Enter');
    await until('the page was told', async () => (await page.evaluate(() => window.told.length)) === 2);
    assert.deepEqual(await page.evaluate(() => window.told), [['sampan-joined', { room: 'class-7b' }], ['sampan-left', { reason: null }]]);
    await page.context().close();
  });

  test('is encrypted with the key that it is given, and says who has another', TIMEOUT, async () => {
    const [ann, ben] = [await open('Ann', { attributes: 'key="tea at four"' }), await open('Ben', { attributes: 'key="coffee"' })];
    for (const page of [ann, ben]) await join_(page);
    const status = (page) => page.evaluate(() => document.querySelector('sampan-call').shadowRoot.querySelector('.tile:not(.own) .tile-status').textContent);
    await until('Ben is told', async () => /the key differs/.test(await status(ben)));
    await ben.evaluate(() => document.querySelector('sampan-call').setKey('tea at four'));
    for (const page of [ann, ben]) {
      await until('both pictures move', async () => (await page.evaluate(look)).moving === 2, { explain: () => page.evaluate(look) });
      assert.ok(await page.locator('#call-lock').isVisible());
    }
    const empty = await open('Eve', { attributes: 'key=""' });
    await until('an empty key is no call without one', async () => /key of this call is empty/.test((await empty.evaluate(look)).error));
    assert.ok(await empty.locator('#join').isDisabled());
    for (const page of [ann, ben, empty]) await page.context().close();
  });

  test('rings, one to one', TIMEOUT, async () => {
    const dora = await open('Dora', { attributes: 'identity="dora"' });
    const emil = await open('Emil', { attributes: 'identity="emil"' });
    await until('Emil’s telephone rings', async () => {
      if (!(await dora.locator('#ring-dialog').isVisible())) await dora.evaluate(() => document.querySelector('sampan-call').ring('emil'));
      return emil.locator('#ring-dialog').isVisible();
    });
    await emil.click('#ring-accept');
    for (const page of [dora, emil]) {
      await until('both are in the call', async () => (await page.evaluate(look)).names.length === 2, { explain: () => page.evaluate(look) });
    }
    for (const page of [dora, emil]) await page.context().close();
  });
});
