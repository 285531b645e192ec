/**
 * How often somebody may try. By address, so that one machine cannot try many accounts; and by account, so that many
 * machines cannot try one. The second would let anybody lock a person out, so browsers that the person has signed in with
 * are counted by themselves (OWASP, "device cookies"), and passkeys and the issuer do not count by account at all.
 */
import { parseAddress } from '../domain/address.ts'
import { digestOf } from '../domain/digest.ts'
import { ApiError } from '../domain/error.ts'
import type { SignInStore } from '../storage/people.ts'
import type { Browser } from './browser.ts'

const SPAN_MS = 15 * 60_000
export const ADDRESS_ATTEMPTS_MAX = 60
export const ACCOUNT_ATTEMPTS_MAX = 10
const DEVICE_MS = 180 * 86_400_000

export interface Throttle {
  readonly signIns: SignInStore
  readonly now: () => number
}

/** `isFirst`: of the refusals of this span, so that a flood of them is one entry of the audit trail. */
export class Throttled extends ApiError {
  readonly isFirst: boolean

  constructor(waitMs: number, isFirst: boolean) {
    const seconds = Math.max(1, Math.ceil(waitMs / 1_000))
    super(
      'SIGN_IN_THROTTLED',
      `Too many attempts. Wait ${Math.ceil(seconds / 60)} min, or use a passkey or a link from an owner.`,
      {
        details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${seconds}s` }],
      },
    )
    this.isFirst = isFirst
  }
}

/** Counts an attempt from this address. Throws Throttled. */
export async function countAddress(throttle: Throttle, callerIp: string): Promise<void> {
  await count(throttle, `address:${networkOf(callerIp)}`, ADDRESS_ATTEMPTS_MAX)
}

/** Counts an attempt at an account. Gives back what makes it forgotten again, for when it succeeds. Throws Throttled. */
export async function countAccount(
  throttle: Throttle,
  who: { readonly email: string; readonly userUid: string | null; readonly browser: Browser },
): Promise<() => Promise<void>> {
  const device = who.browser.cookie('device')
  const digest = device === null ? null : digestOf(device)
  const isKnown =
    digest !== null &&
    who.userUid !== null &&
    (await throttle.signIns.isKnownDevice(digest, who.userUid, throttle.now()))
  const bucket = isKnown ? `device:${digest}` : `account:${digestOf(who.email)}`
  await count(throttle, bucket, ACCOUNT_ATTEMPTS_MAX)
  return () => throttle.signIns.forgetAttempts(bucket)
}

/** From now on the browser is known to be this person's. */
export async function rememberBrowser(throttle: Throttle, userUid: string, browser: Browser): Promise<void> {
  const present = browser.cookie('device')
  const nowMs = throttle.now()
  if (present !== null && (await throttle.signIns.isKnownDevice(digestOf(present), userUid, nowMs))) return
  const device = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url')
  await throttle.signIns.rememberDevice({
    digest: digestOf(device),
    userUid,
    expireTimeMs: nowMs + DEVICE_MS,
  })
  browser.setCookie({ name: 'device', value: device, maxAgeMs: DEVICE_MS })
}

async function count({ signIns, now }: Throttle, bucket: string, most: number): Promise<void> {
  const nowMs = now()
  const { count: attempts, expireTimeMs } = await signIns.attempt(bucket, { nowMs, spanMs: SPAN_MS })
  if (attempts > most) throw new Throttled(expireTimeMs - nowMs, attempts === most + 1)
}

/** An IPv6 customer has a /64 at least: its addresses are one. */
function networkOf(callerIp: string): string {
  const address = parseAddress(callerIp)
  if (address === null || !callerIp.includes(':')) return callerIp
  return expanded(callerIp).slice(0, 4).join(':')
}

function expanded(text: string): readonly string[] {
  const [head = '', tail] = text.split('::')
  const front = head === '' ? [] : head.split(':')
  if (tail === undefined) return front
  const back = tail === '' ? [] : tail.split(':')
  return [...front, ...Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0'), ...back]
}
