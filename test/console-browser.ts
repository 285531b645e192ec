/** Debian's Chromium, driven against a real Pollux: what the console's suites and the screenshots share. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Browser, type BrowserContextOptions, type Page, chromium } from 'playwright-core'
import { ADMIN_TOKEN } from './pollux.ts'

export const CHROMIUM = '/usr/bin/chromium'
const WAIT_MS = 20_000
/**
 * Holds back what pages ask of Pollux by up to so many milliseconds. What a suite takes for done before it was answered then
 * fails every time, not once in a hundred on a busy machine: `LATE_MS=1500 vitest run test/console`.
 */
const LATE_MS = Number(process.env['LATE_MS'] ?? 0)
const BUILD_SCRIPT = join(import.meta.dirname, '..', 'web', 'build.ts')

export function launchBrowser(): Promise<Browser> {
  // Chromium refuses its own sandbox to root, which CI is.
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
}

/** Resolves when the compiled console is that of the sources. */
export async function builtConsole(): Promise<void> {
  const child = spawn(process.execPath, [BUILD_SCRIPT], {
    stdio: 'inherit',
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const code = await new Promise<number | null>(resolve => child.once('exit', resolve))
  if (code !== 0) throw new Error(`The console could not be built (${code}).`)
}

interface ConsolePage {
  readonly page: Page
  /** What the page complained of: script errors, refused policies, failed files. */
  readonly complaints: string[]
}

/** A page of its own context, signed in by token. */
export function openConsolePage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<ConsolePage> {
  return openPage(browser, url, { ...options, token: ADMIN_TOKEN })
}

/** A page of its own context; without a token, of somebody who is not signed in. */
export async function openPage(
  browser: Browser,
  url: string,
  { token, ...options }: BrowserContextOptions & { readonly token?: string } = {},
): Promise<ConsolePage> {
  const permissions = ['clipboard-read', 'clipboard-write']
  const context = await browser.newContext({ permissions, ...options })
  context.setDefaultTimeout(WAIT_MS)
  if (token !== undefined) {
    await context.addInitScript(given => sessionStorage.setItem('pollux.token', given), token)
  }
  if (LATE_MS > 0) {
    await context.route('**/*', async route => {
      if (route.request().resourceType() === 'fetch') await delay(Math.random() * LATE_MS)
      // Its page may have gone meanwhile.
      await route.continue().catch(() => null)
    })
  }
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', message => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  page.on('pageerror', error => complaints.push(String(error)))
  await page.goto(url)
  return { page, complaints }
}
