/** What every suite in Chromium begins and ends with, and what people do in it. */
import { existsSync } from 'node:fs'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe } from 'vitest'
import { CHROMIUM, builtConsole, launchBrowser } from './console-browser.ts'
import { OWNER, PASSWORD } from './people.ts'
import { type Pollux, startPollux } from './pollux.ts'

export const TEST_MS = 120_000

/** A Pollux and a Chromium of a suite's own; there while its tests run. */
export interface Site {
  readonly pollux: Pollux
  readonly browser: Browser
}

/** As `describe`; skipped by name where there is no Chromium. */
export const describeInChromium = describe.skipIf(!existsSync(CHROMIUM))

/**
 * Has the file's tests begin with a compiled console, a Pollux and a Chromium, and end without. `start` makes a Pollux other
 * than the plain one; `furnish` runs once before the tests.
 */
export function useSite({ start = startPollux, furnish }: SiteOptions = {}): Site {
  let [pollux, browser]: [Pollux | null, Browser | null] = [null, null]
  const site = {
    get pollux() {
      return started(pollux)
    },
    get browser() {
      return started(browser)
    },
  }
  if (!existsSync(CHROMIUM)) return site
  beforeAll(async () => {
    await builtConsole()
    ;[pollux, browser] = await Promise.all([start(), launchBrowser()])
    await furnish?.(pollux)
  }, TEST_MS)
  afterAll(async () => {
    await browser?.close()
    await pollux?.stop()
  })
  return site
}

interface SiteOptions {
  readonly start?: () => Promise<Pollux>
  readonly furnish?: (pollux: Pollux) => Promise<void>
}

function started<Part>(part: Part | null): Part {
  if (part === null) throw new Error('There is none before the tests run.')
  return part
}

/** Fills in the sign-in form and sends it. */
export async function signIn(page: Page, password = PASSWORD): Promise<void> {
  await page.getByLabel('E-mail address').fill(OWNER)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

/** The button, once it can be pressed: a form that still waits for what it is about has a disabled one. */
export async function readyButton(page: Page, name: string): Promise<Locator> {
  const button = page.getByRole('button', { name, exact: true, disabled: false }).first()
  await button.waitFor()
  return button
}

/** A device with a fingerprint reader, whose owner always says yes. */
export async function addAuthenticator(page: Page): Promise<void> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('WebAuthn.enable')
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
}
