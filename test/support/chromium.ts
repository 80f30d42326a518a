import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Launches headless Chromium: that of MORPHMLP_CHROMIUM, or one in a usual place. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = process.env['MORPHMLP_CHROMIUM'] ?? PLACES.find((file) => existsSync(file));
  if (!executablePath) {
    throw new Error(
      `the browser tests need Chromium (Debian: apt-get install chromium), or its path in MORPHMLP_CHROMIUM; looked at ${PLACES.join(', ')}`,
    );
  }
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
}

/** Faults of a page. */
export interface Watched {
  page: Page;
  /** Console errors and warnings, exceptions. */
  complaints: string[];
  /** Requests other than the page itself. */
  requests: string[];
}

/** Opens a file in a new page and waits until its script has run. */
export async function openFile(
  browser: Browser,
  file: string,
  { colorScheme = 'light' as 'light' | 'dark', width = 1280, height = 900 } = {},
): Promise<Watched> {
  const page = await browser.newPage({ colorScheme, viewport: { width, height } });
  const [complaints, requests]: [string[], string[]] = [[], []];
  page.on('console', (m) => void (['error', 'warning'].includes(m.type()) && complaints.push(m.text())));
  page.on('pageerror', (error) => void complaints.push(error.message));
  page.on(
    'request',
    (r) => void (r.url() !== `file://${file}` && !r.url().startsWith('data:') && requests.push(r.url())),
  );
  await page.goto(`file://${file}`);
  await page.waitForSelector('html[data-ready]', { state: 'attached' });
  return { page, complaints, requests };
}

/** Saves a screenshot if MORPHMLP_SCREENSHOTS names a folder. */
export async function shoot(page: Page, name: string): Promise<void> {
  const out = process.env['MORPHMLP_SCREENSHOTS'];
  if (!out) return;
  mkdirSync(out, { recursive: true });
  await page.screenshot({ path: path.join(out, `${name}.png`), fullPage: true });
}
