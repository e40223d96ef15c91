// Opens report pages from a disk in a real browser, wide and narrow, light and dark, with script and without, and fails where
// something is logged as an error, asked of a network, wider than the screen, or does not do what it should.
//
//   cargo test --lib pages_for_a_browser -- --ignored     (COLLOQUY_PAGES names a folder: small.html, large.html)
//   npm install playwright-core                            (anywhere; NODE_PATH or a link beside this file)
//   node tests/report/browser.mjs FOLDER [CHROMIUM] [PAGE…]
//
// Screenshots go to FOLDER/shots. Further pages are looked at as small.html is, without what only that one holds.

import { createRequire } from 'node:module';
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, executablePath = '/usr/bin/chromium', ...more] = process.argv.slice(2);
if (!folder) throw new Error('usage: browser.mjs FOLDER [CHROMIUM] [PAGE…]');
const { chromium } = createRequire(path.join(process.cwd(), 'package.json'))('playwright-core');

const shots = path.join(folder, 'shots');
mkdirSync(shots, { recursive: true });
const failures = [];
const fail = (text) => {
  failures.push(text);
  console.log(`FAIL ${text}`);
};
const expect = (is, text) => is || fail(text);

const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 390, height: 844 };
const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

async function open(file, { viewport = WIDE, colorScheme = 'light', javaScriptEnabled = true } = {}) {
  const profile = mkdtempSync(path.join(tmpdir(), 'browser-'));
  const context = await chromium.launchPersistentContext(profile, { executablePath, args, viewport, colorScheme, javaScriptEnabled, acceptDownloads: true });
  const page = context.pages()[0] || (await context.newPage());
  const what = `${path.basename(file)} ${viewport.width} ${colorScheme} ${javaScriptEnabled ? 'script' : 'no script'}`;
  page.on('console', (message) => message.type() === 'error' && fail(`${what}: ${message.text()}`));
  page.on('pageerror', (error) => fail(`${what}: ${error}`));
  page.on('request', (request) => /^(file|blob|data):/.test(request.url()) || fail(`${what}: asks for ${request.url()}`));
  const began = performance.now();
  await page.goto(pathToFileURL(path.resolve(file)).href);
  if (javaScriptEnabled) await page.waitForFunction(() => document.getElementById('found')?.textContent);
  const opened = performance.now() - began;
  const fits = async (where) => {
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(wide <= 0, `${what}: ${where} is ${wide} pixels too wide`);
  };
  const shot = (name, options = {}) => page.screenshot({ path: path.join(shots, `${name}.png`), ...options });
  return { context, page, what, opened, fits, shot };
}

/** Contrast of texts with what they stand on (WCAG 2, AA: 4.5, large ones 3). */
const contrasts = () => {
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const seen = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const poor = new Set();
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    if (!own || !box.width || element.closest('.unseen, script, style, :disabled, .skip, svg title')) continue;
    const grounds = [];
    for (let up = element; up; up = up.parentElement) grounds.unshift(getComputedStyle(up).backgroundColor);
    const ground = seen(['white', ...grounds]);
    const colour = seen([`rgb(${ground})`, element instanceof SVGElement ? style.fill : style.color]);
    const [dark, light] = [luminance(ground), luminance(colour)].sort((one, other) => one - other);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize);
    if (ratio < (size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5)) {
      poor.add(`${element.tagName}.${element.className.baseVal ?? element.className} ${ratio.toFixed(2)}`);
    }
  }
  return [...poor];
};

async function everyWay(file, name) {
  for (const viewport of [WIDE, NARROW]) {
    for (const colorScheme of ['light', 'dark']) {
      const { context, page, what, fits, shot } = await open(file, { viewport, colorScheme });
      const tag = `${name}-${viewport.width}-${colorScheme}`;
      await fits('the report');
      await shot(`${tag}-report`, { fullPage: true });
      for (const poor of await page.evaluate(contrasts)) fail(`${what}: report: contrast of ${poor}`);
      await page.click('nav [data-view=conversations]');
      await page.waitForSelector('.row');
      await fits('the list');
      await shot(`${tag}-list`);
      await page.locator('.row').first().click();
      await page.waitForSelector('#view .turn');
      await fits('a conversation');
      await shot(`${tag}-conversation`);
      for (const poor of await page.evaluate(contrasts)) fail(`${what}: conversations: contrast of ${poor}`);
      await context.close();
    }
    const { context, page, what, fits, shot } = await open(file, { viewport, javaScriptEnabled: false });
    await fits('all of it');
    expect(await page.locator('.without-script .conversation').count(), `${what}: no conversations`);
    expect(await page.locator('noscript').count(), `${what}: nothing says what script adds`);
    expect(!(await page.locator('#browser').isVisible()), `${what}: an empty browser of conversations`);
    await page.locator('.without-script .conversation summary').first().click();
    expect(await page.locator('.without-script .turn').first().isVisible(), `${what}: a conversation does not open`);
    await shot(`${name}-${viewport.width}-no-script`, { fullPage: true });
    await context.close();
  }
  const { context, page } = await open(file);
  await page.pdf({ path: path.join(shots, `${name}.pdf`), format: 'A4' });
  await context.close();
}

async function small(file) {
  const { context, page, shot } = await open(file);
  await page.click('nav [data-view=conversations]');
  const told = () => page.textContent('#found');
  const rows = () => page.locator('.row .id').allTextContents();
  // Filters.
  await page.click('#filter');
  await page.selectOption('select[data-facet=verdict]', { label: 'turned down: role leak (1)' });
  expect((await told()) === '1 of 4' && (await rows())[0] === 'c/1/0', `filter: ${await told()}`);
  await page.click('#chips .chip');
  await page.selectOption('select[data-facet=page]', { label: 'none (1)' });
  expect((await rows()).join() === 'c/2/0', 'filter by nothing');
  await page.click('#chips .chip');
  await page.selectOption('select[data-facet=holds]', { label: 'a sentence that nothing backs (1)' });
  expect((await rows()).join() === 'c/0/0', 'filter by what it holds');
  await page.click('#chips .chip');
  // Search, in any place of a conversation.
  await page.fill('#search', 'STREET party');
  await page.waitForFunction(() => document.getElementById('found').textContent === '1 of 4');
  expect((await rows()).join() === 'c/2/0', 'search');
  await page.fill('#search', 'no such words');
  await page.waitForSelector('.nothing');
  await page.click('.nothing button');
  await page.waitForFunction(() => document.querySelectorAll('.row').length === 4);
  // What backs a sentence, and what does not.
  await page.locator('.row', { hasText: 'c/0/0' }).click();
  await page.waitForTimeout(200);
  expect((await page.textContent('span.unbacked')) === 'Refunds take a week.', 'a sentence that nothing backs');
  expect((await page.textContent('span.backed')) === 'Café staff 🙂 know it: you have 30 days.', 'places after an emoji');
  await page.focus('span.backed');
  await page.keyboard.press('Enter');
  expect((await page.textContent('.source.backed mark')) === 'Send it back within 30 days.', 'the words of the page');
  expect((await page.getAttribute('span.backed', 'aria-expanded')) === 'true', 'that it is open is said');
  await page.locator('.turn .guard summary').click();
  await shot('opened');
  // Texts that look like HTML.
  await page.goto(`${page.url().split('#')[0]}#id=c/3/0`);
  await page.waitForFunction(() => document.querySelector('#view .said')?.textContent.includes('onerror'));
  expect(await page.evaluate(() => window.bad === undefined && !document.querySelector('img')), 'a text ran');
  // Marks by keys and buttons; they outlast the page.
  await page.goto(`${page.url().split('#')[0]}#id=c/0/0`);
  await page.waitForFunction(() => document.querySelector('.steps h2')?.textContent === 'c/0/0');
  expect((await page.textContent('#tally')) === '1 keep · 1 note', `tally: ${await page.textContent('#tally')}`);
  await page.keyboard.press('x');
  await page.waitForFunction(() => document.querySelector('.steps h2').textContent === 'c/1/0');
  await page.keyboard.press('j');
  await page.waitForFunction(() => document.querySelector('.steps h2').textContent === 'c/2/0');
  await page.keyboard.press('n');
  await page.keyboard.type('jxy </script> "odd"');
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  await page.waitForFunction(() => document.querySelector('.steps h2').textContent === 'c/3/0');
  await page.click('.choice.keep');
  await page.reload();
  await page.waitForFunction(() => document.getElementById('tally').textContent === '1 keep · 1 drop · 2 notes');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#save')]);
  expect(download.suggestedFilename() === 'review.jsonl', download.suggestedFilename());
  const lines = readFileSync(await download.path(), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
  const marks = lines.map(({ id, mark = '' }) => `${id} ${mark}`).join(', ');
  expect(marks === 'c/0/0 drop, c/2/0 , c/3/0 keep', marks);
  expect(lines[1].note === 'jxy </script> "odd"', lines[1].note);
  await page.keyboard.press('u');
  await page.waitForFunction(() => document.getElementById('tally').textContent === '1 drop · 2 notes');
  await page.keyboard.press('?');
  expect(await page.locator('#help').isVisible(), 'the keys are not shown');
  await shot('keys');
  await page.keyboard.press('Escape');
  // Light and dark by hand.
  await page.click('#theme');
  await page.click('#theme');
  expect(await page.evaluate(() => document.documentElement.dataset.theme === 'dark'), 'dark by hand');
  await page.reload();
  expect(await page.evaluate(() => document.documentElement.dataset.theme === 'dark'), 'dark is not kept');
  // Back from a conversation on a phone.
  await page.setViewportSize(NARROW);
  await page.click('.back');
  expect(await page.locator('#list').isVisible() && !(await page.locator('#view').isVisible()), 'back to the list');
  await context.close();
}

async function large(file) {
  const { context, page, opened, shot } = await open(file);
  console.log(`large.html: opened in ${Math.round(opened)} ms`);
  // What an event takes until the browser has drawn again.
  const timed = (act) => page.evaluate(`(async () => {
    const began = performance.now();
    const told = document.getElementById('found').textContent;
    ${act};
    while (document.getElementById('found').textContent === told) await new Promise((done) => setTimeout(done));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - began;
  })()`);
  await page.click('nav [data-view=conversations]');
  await page.click('#filter');
  const choose = (facet, nth) => `const s = document.querySelector('select[data-facet=${facet}]'); s.selectedIndex = ${nth}; s.dispatchEvent(new Event('change'))`;
  const filter = await timed(choose('tone', 2));
  const second = await timed(choose('outcome', 1));
  const cleared = await timed(`document.querySelector('#chips .link').click()`);
  const type = (text) => `const s = document.getElementById('search'); s.value = '${text}'; s.dispatchEvent(new Event('input'))`;
  const first = await timed(type('bale'));
  await page.waitForFunction(() => document.getElementById('found').textContent.includes(' of '));
  const search = await timed(type('merdopil'));
  const memory = await page.evaluate(() => Math.round(performance.memory.usedJSHeapSize / 1048576));
  console.log(`filter ${Math.round(filter)} ms, a second ${Math.round(second)} ms, cleared ${Math.round(cleared)} ms; search ${Math.round(search)} ms with 80 ms of waiting in it (reading begins after ${Math.round(first)} ms); heap ${memory} MiB`);
  for (const [what, time] of [['filter', filter], ['second filter', second], ['clear', cleared], ['search', search - 80]]) expect(time < 100, `${what}: ${time} ms`);
  await timed(type(''));
  expect((await page.locator('.row').count()) < 60, 'all rows are drawn');
  await page.evaluate(() => { document.getElementById('list').scrollTop = 1e9; });
  await page.waitForFunction(() => document.querySelector('.row:last-child .id').textContent === 'c/9999/0');
  const show = await page.evaluate(async () => {
    const began = performance.now();
    document.querySelector('.row:last-child').click();
    while (document.querySelector('.steps h2')?.textContent !== 'c/9999/0') await new Promise((done) => setTimeout(done));
    return performance.now() - began;
  });
  console.log(`a conversation: ${Math.round(show)} ms`);
  await shot('large');
  await context.close();
}

if (more.length === 0) {
  await everyWay(path.join(folder, 'small.html'), 'small');
  await small(path.join(folder, 'small.html'));
  await large(path.join(folder, 'large.html'));
}
for (const file of more) await everyWay(file, path.basename(file, '.html'));
console.log(failures.length ? `${failures.length} failures` : 'all well');
process.exitCode = failures.length ? 1 : 0;
