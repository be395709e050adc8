// Somebody with a browser, who does what is asked on standard input and tells all on standard output, in the same way as
// party.cjs. Pages have names. Whatever a page complains of is told as {"who":"…","event":"complaint","text":"…"}.
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const readline = require('node:readline');
const puppeteer = require('puppeteer-core');

// A little less than that of who asks, who then hears what was in vain.
const PATIENCE = 50_000;
const KINDS = { '.css': 'text/css', '.html': 'text/html', '.js': 'text/javascript' };
const TELLING = new Set(['serve', 'evaluate', 'audit']);
const pages = new Map();
const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const launched = puppeteer.launch({
  executablePath: process.env.CHROMIUM,
  // Through a pipe, so that the browser ends when this program is killed.
  pipe: true,
  // Tests may run as root, and in containers whose shared memory is small.
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--force-color-profile=srgb', '--font-render-hinting=none'],
  protocolTimeout: PATIENCE,
});

/** Serves the files of a folder, and nothing above it. */
function serve(folder) {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://page');
    const file = path.join(folder, path.normalize(pathname.endsWith('/') ? `${pathname}index.html` : pathname));
    fs.readFile(file, (error, bytes) => {
      response.writeHead(error ? 404 : 200, { 'content-type': KINDS[path.extname(file)] ?? 'text/plain' });
      response.end(bytes);
    });
  });
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`)));
}

const verbs = {
  serve: ({ folder }) => serve(folder),
  open: async ({ name, url, scheme, width, height }) => {
    const page = await (await launched).newPage();
    pages.set(name, page);
    page.setDefaultTimeout(PATIENCE);
    const complaint = (text) => tell({ who: name, event: 'complaint', text });
    page.on('console', (said) => ['error', 'warn', 'assert'].includes(said.type()) && complaint(said.text()));
    page.on('pageerror', (error) => complaint(String(error)));
    page.on('requestfailed', (request) => complaint(`${request.url()}: ${request.failure()?.errorText}`));
    await page.setViewport({ width: width ?? 1440, height: height ?? 1000 });
    await page.emulateMediaFeatures([
      { name: 'prefers-color-scheme', value: scheme ?? 'light' },
      // Nothing is looked at while it is half there.
      { name: 'prefers-reduced-motion', value: 'reduce' },
    ]);
    await page.goto(url);
  },
  reload: ({ page }) => page.reload(),
  evaluate: ({ page, code }) => page.evaluate(code),
  /** Waits until it is true; what the page shows instead is told. */
  until: ({ page, code }) =>
    page.waitForFunction(code).catch(async ({ message }) => {
      throw new Error(`${message}: ${await page.evaluate(() => document.body.innerText)}`);
    }),
  // By role and name, as those find it who hear the page.
  click: ({ page, role, label }) => page.locator(`::-p-aria([name="${label}"][role="${role}"])`).click(),
  fill: ({ page, role, label, text }) => page.locator(`::-p-aria([name="${label}"][role="${role}"])`).fill(text),
  screenshot: ({ page, path }) => page.screenshot({ path, fullPage: true }),
  /** After this nothing writes into the profile any more. */
  quit: async () => (await launched).close(),
  /** What people with a screen reader, a keyboard alone or weak eyes would stumble over. */
  audit: async ({ page }) => {
    await page.addScriptTag({ path: require.resolve('axe-core') });
    const { violations } = await page.evaluate(() => axe.run());
    return violations.map(({ id, help, nodes }) => ({ id, help, at: nodes.map(({ target }) => target.join(' ')) }));
  },
};

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  const { ask, verb, ...options } = JSON.parse(line);
  try {
    const value = await verbs[verb]({ ...options, page: pages.get(options.page) });
    // Of handles and bytes there is nothing to tell.
    tell({ ask, value: TELLING.has(verb) ? value ?? null : null });
  } catch (error) {
    tell({ ask, error: { message: String(error?.message ?? error) } });
  }
}).on('close', async () => {
  await (await launched).close();
  process.exit(0);
});
process.on('unhandledRejection', (error) => tell({ event: 'unhandled', message: String(error?.message ?? error) }));
