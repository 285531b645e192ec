/** Debian's Chromium, driven against a real Pollux: what the console's suites and the screenshots share. */
import { type Browser, type BrowserContextOptions, type Page, chromium } from 'playwright-core'
import { ADMIN_TOKEN } from './pollux.ts'

const EXECUTABLE = '/usr/bin/chromium'
const WAIT_MS = 20_000

export function launchBrowser(): Promise<Browser> {
  // Chromium refuses its sandbox to root, which CI is.
  return chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox'] })
}

export interface ConsolePage {
  readonly page: Page
  /** What the page complained of: script errors, refused policies, failed files. */
  readonly complaints: string[]
}

/** A page of its own context, signed in. */
export async function openConsolePage(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions = {},
): Promise<ConsolePage> {
  const context = await browser.newContext({
    permissions: ['clipboard-read', 'clipboard-write'],
    ...options,
  })
  context.setDefaultTimeout(WAIT_MS)
  await context.addInitScript(token => sessionStorage.setItem('pollux.token', token), ADMIN_TOKEN)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', message => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  page.on('pageerror', error => complaints.push(String(error)))
  await page.goto(origin)
  return { page, complaints }
}
