/** Whether somebody is there. What a page asks by the clock while nobody touches it is no use of the session. */
import { SEEN_EVERY_MS } from '../src/domain/session.ts'

const TOUCHES = ['pointerdown', 'click', 'keydown', 'wheel'] as const

/** Loading the page is something that somebody does. */
let touchedMs = Date.now()

for (const touch of TOUCHES) {
  addEventListener(touch, () => void (touchedMs = Date.now()), { capture: true, passive: true })
}

/** Whether the page was left alone for as long as a session's last use is written down to. */
export function isLeftAlone(): boolean {
  return Date.now() >= touchedMs + SEEN_EVERY_MS
}
