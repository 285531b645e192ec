/** Where the time of a call went, as far as its record says. */
import type { CallJson } from './queries.ts'

type Moments = Pick<CallJson, 'durationMs' | 'receivedMs' | 'admittedMs' | 'firstByteMs' | 'lastByteMs'>

export interface Span {
  readonly text: string
  /** Who is waited for: Pollux or the upstream. */
  readonly look: 'door' | 'wait' | 'answer' | 'settle'
  readonly fromMs: number
  readonly toMs: number
  /** Whether both ends were measured to the microsecond; else to the millisecond. */
  readonly isFine: boolean
}

/** The steps that were measured, in order and without a gap. Whole milliseconds may be before a finer moment: they wait. */
export function spansOf(call: Moments): readonly Span[] {
  const { receivedMs, admittedMs, firstByteMs, lastByteMs, durationMs } = call
  const spans: Span[] = []
  let fromMs = 0
  const add = (
    text: string,
    look: Span['look'],
    end: { readonly ms: number; readonly isFine: boolean },
  ): void => {
    const toMs = Math.max(fromMs, end.ms)
    spans.push({ text, look, fromMs, toMs, isFine: end.isFine })
    fromMs = toMs
  }
  if (receivedMs !== undefined) add('Key checked, request read', 'door', { ms: receivedMs, isFine: true })
  if (admittedMs !== undefined) add('Limits and budgets', 'door', { ms: admittedMs, isFine: true })
  const rest = { ms: durationMs, isFine: false }
  if (firstByteMs === undefined) {
    add('Without an answer', 'wait', rest)
    return spans
  }
  const wait = admittedMs === undefined ? 'To the first byte' : "Upstream's first byte"
  add(wait, 'wait', { ms: firstByteMs, isFine: false })
  if (lastByteMs === undefined) {
    add('The rest, and settling', 'answer', rest)
    return spans
  }
  add("Upstream's answer", 'answer', { ms: lastByteMs, isFine: false })
  add('Settling', 'settle', rest)
  return spans
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const fine = new Intl.NumberFormat('en', { maximumSignificantDigits: 2 })

/** `0.31 ms`, `840 ms`, `12.4 s`; what was measured to the millisecond is not told finer. */
export function shownSpan(ms: number, isFine: boolean): string {
  if (ms >= 10_000) return `${(ms / 1_000).toFixed(1)} s`
  if (isFine && ms < 10) return `${fine.format(ms)} ms`
  return ms < 0.5 ? 'under 1 ms' : `${whole.format(ms)} ms`
}
