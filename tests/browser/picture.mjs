// The first screen of a report, as docs/report.png shows one:
//
// node picture.mjs CHROMIUM REPORT.html PICTURE.png

import path from 'node:path';
import { pathToFileURL } from 'node:url';
import puppeteer from 'puppeteer-core';

const [chromium, report, picture] = process.argv.slice(2);
const browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox'] });
try {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 1000 });
  await page.goto(pathToFileURL(path.resolve(report)).href);
  await page.screenshot({ path: picture });
} finally {
  await browser.close();
}
