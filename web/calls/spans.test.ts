import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { shownSpan, spansOf } from './spans.ts'

const whole = { receivedMs: 0.31, admittedMs: 0.84, firstByteMs: 420, lastByteMs: 1_204.3, durationMs: 1_205 }

const DOOR = ['Key checked, request read', 'Limits and budgets']
const { lastByteMs: _last, ...cut } = whole

test.each<readonly [string, Parameters<typeof spansOf>[0], readonly string[]]>([
  ['a whole call', whole, [...DOOR, "Upstream's first byte", "Upstream's answer", 'Settling']],
  ['an answer that broke off', cut, [...DOOR, "Upstream's first byte", 'The rest, and settling']],
  ['no answer', { receivedMs: 1, admittedMs: 2, durationMs: 9 }, [...DOOR, 'Without an answer']],
  [
    'a record of an earlier version',
    { firstByteMs: 4, durationMs: 9 },
    ['To the first byte', 'The rest, and settling'],
  ],
  ['a call that a crash cut', { durationMs: 0 }, ['Without an answer']],
])('%s is told in its steps', (_name, call, steps) => {
  expect(spansOf(call).map(({ text }) => text)).toEqual(steps)
})

test('steps follow each other without a gap, however the moments were rounded', () => {
  const ms = fc.double({ min: 0, max: 20, noNaN: true })
  fc.assert(
    fc.property(ms, ms, ms, ms, ms, (...moments) => {
      const [receivedMs = 0, admittedMs = 0, first = 0, lastByteMs = 0, duration = 0] = moments.toSorted(
        (a, b) => a - b,
      )
      const call = {
        receivedMs,
        admittedMs,
        firstByteMs: Math.round(first),
        lastByteMs,
        durationMs: Math.round(duration),
      }
      let endMs = 0
      for (const { fromMs, toMs } of spansOf(call)) {
        expect(fromMs).toBe(endMs)
        expect(toMs).toBeGreaterThanOrEqual(fromMs)
        endMs = toMs
      }
    }),
  )
})

test.each([
  [0.312, true, '0.31 ms'],
  [2.04, true, '2 ms'],
  [12.4, true, '12 ms'],
  [0.2, false, 'under 1 ms'],
  [2.16, false, '2 ms'],
  [1_204.3, false, '1,204 ms'],
  [12_400, false, '12.4 s'],
])('%d ms, measured finely: %s, reads %s', (ms, isFine, text) => {
  expect(shownSpan(ms, isFine)).toBe(text)
})
