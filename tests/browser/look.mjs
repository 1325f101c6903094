// Opens pages in Chromium and says what a reader would find.
//
// node look.mjs CHROMIUM FOLDER PAGE... writes FOLDER/found.json, and a picture
// of each page at each width, light and dark.

import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import puppeteer from 'puppeteer-core';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WIDTHS = [390, 1440];
const SCHEMES = ['light', 'dark'];
const TALLEST = 9000; // Of a picture, which Chromium holds in memory.
const PAPER = 688; // CSS pixels between the margins of an A4 page.

// What is cut: to the right of the screen, or of a box that cannot be scrolled
// so far by the keyboard. Runs in the page.
function cut(onPaper) {
  const found = [];
  const wide = document.documentElement.clientWidth;
  for (const each of document.querySelectorAll('td, th, p, li, h1, h2, h3, pre, dd, figcaption, img, summary')) {
    if (!each.checkVisibility()) continue;
    const named = `${each.tagName} ${each.textContent.trim().slice(0, 40) || each.alt}`;
    if (each.scrollWidth > each.clientWidth + 1 && each.clientWidth && getComputedStyle(each).display !== 'inline')
      found.push(`${named}: wider than its box`);
    const text = document.createRange();
    text.selectNodeContents(each);
    // A cell itself is as tall as its row.
    const lines = text.getBoundingClientRect().height / parseFloat(getComputedStyle(each).lineHeight);
    if (each.tagName === 'TD' && lines > 12 && each.textContent.length < 8 * lines) found.push(`${named}: a word a line`);
    const box = each.closest('.scroll');
    const scrolls = box && box.scrollWidth > box.clientWidth && !onPaper;
    if (scrolls) {
      if (box.tabIndex !== 0 || !box.ariaLabel) found.push(`${named}: in a box without keyboard`);
      box.scrollLeft = 1e6;
    }
    const limit = scrolls ? box.getBoundingClientRect().right : wide;
    if (each.getBoundingClientRect().right > limit + 1) found.push(`${named}: past the edge`);
    if (scrolls) box.scrollLeft = 0;
    if (each.getBoundingClientRect().left < -1) found.push(`${named}: before the edge`);
  }
  return [...new Set(found)];
}

async function look(page, scheme, width, picture) {
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.evaluate(() => new Promise(requestAnimationFrame));
  await page.screenshot({ path: picture('top') });
  await page.evaluate(() => document.querySelectorAll('main details').forEach(d => (d.open = true)));
  await page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))));
  const found = {
    width: await page.evaluate(() => document.documentElement.scrollWidth),
    cut: await page.evaluate(cut, false),
    scrolled: await page.evaluate(() => [...document.querySelectorAll('.scroll')]
      .filter(b => b.scrollWidth > b.clientWidth).map(b => b.ariaLabel)),
    figure: await page.evaluate(() => {
      const first = document.querySelector('.drawn img');
      return first ? first.getBoundingClientRect().top + scrollY : null;
    }),
  };
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run({ preload: false }));
  found.axe = violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.html.slice(0, 160)}`));
  const height = await page.evaluate(most => Math.min(document.body.scrollHeight, most), TALLEST);
  await page.screenshot({ path: picture('long'), clip: { x: 0, y: 0, width, height } });
  return found;
}

// By the keyboard alone: to the end of the first box that scrolls.
async function keyboard(page) {
  await page.setViewport({ width: 390, height: 900 });
  const box = await page.evaluateHandle(() =>
    [...document.querySelectorAll('.scroll')].find(b => b.scrollWidth > b.clientWidth));
  if (!box.asElement()) return null;
  await box.focus();
  for (let i = 0; i < 60; i++) await page.keyboard.press('ArrowRight');
  await new Promise(done => setTimeout(done, 400));
  return box.evaluate(b => b.scrollWidth - b.clientWidth - b.scrollLeft);
}

async function sorted(page) {
  return page.evaluate(() => {
    const tables = [...document.querySelectorAll('table.sortable')];
    return tables.map(table => {
      const rows = () => [...table.tBodies[0].rows].map(r => [...r.cells].map(c => c.innerText.trim()));
      const before = rows();
      const states = [];
      for (const head of table.tHead.rows[0].cells) {
        const button = head.querySelector('button');
        const seen = [];
        for (let i = 0; i < 3; i++) {
          button.click();
          seen.push({ sort: head.getAttribute('aria-sort'), rows: rows() });
        }
        states.push(seen);
      }
      return { before, states };
    });
  });
}

async function taken(page) {
  return page.evaluate(async () =>
    Object.fromEntries(await Promise.all([...document.querySelectorAll('a[download]')].map(
      async link => [link.download, link.href]))));
}

async function paper(page, file) {
  await page.emulateMediaType('print');
  await page.setViewport({ width: PAPER, height: 900 });
  const found = {
    width: await page.evaluate(() => document.documentElement.scrollWidth),
    cut: await page.evaluate(cut, true),
    folded: await page.evaluate(() => [...document.querySelectorAll('main details td')]
      .filter(each => !each.checkVisibility()).length),
  };
  await page.emulateMediaType(null);
  await page.pdf({ path: file, preferCSSPageSize: true, format: 'A4' });
  return found;
}

async function open(browser, source, folder) {
  const page = await browser.newPage();
  const requests = [];
  const said = [];
  page.on('request', r => r.url().startsWith('data:') || requests.push(r.url()));
  page.on('console', m => said.push(m.text()));
  page.on('pageerror', e => said.push(String(e)));
  const url = pathToFileURL(source).href;
  const start = performance.now();
  await page.goto(url, { waitUntil: 'load' });
  const name = path.basename(source, '.html');
  const found = { seconds: (performance.now() - start) / 1000, looks: {} };
  found.text = await page.evaluate(() => document.body.innerText);
  found.images = await page.evaluate(() => [...document.images].filter(i => !i.naturalWidth).map(i => i.alt));
  for (const width of WIDTHS)
    for (const scheme of SCHEMES)
      found.looks[`${width} ${scheme}`] = await look(page, scheme, width, part =>
        path.join(folder, `${name}-${width}-${scheme}-${part}.png`));
  found.left = await keyboard(page);
  found.tables = await sorted(page);
  found.taken = await taken(page);
  await page.goto(url, { waitUntil: 'load' }); // Folded again.
  found.paper = await paper(page, path.join(folder, `${name}.pdf`));
  await page.setJavaScriptEnabled(false);
  await page.goto(url, { waitUntil: 'load' });
  found.without = await page.$$eval('a[download]', links => links.map(link => link.download));
  found.requests = requests.filter(r => r !== url);
  found.said = said;
  await page.close();
  return found;
}

const [chromium, folder, ...sources] = process.argv.slice(2);
const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ['--no-sandbox', '--disable-gpu'],
  userDataDir: path.join(folder, 'profile'),
});
try {
  const found = {};
  for (const source of sources) found[path.basename(source, '.html')] = await open(browser, source, folder);
  fs.writeFileSync(path.join(folder, 'found.json'), JSON.stringify(found));
} finally {
  await browser.close();
}
