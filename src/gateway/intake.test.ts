import { afterEach, expect, test } from 'vitest'
import { ApiError } from '../domain/error.ts'
import { Intake, type IntakeOptions } from './intake.ts'

let intake: Intake
afterEach(() => intake.close())

const IDLE: IntakeOptions = {
  openCalls: () => 0,
  openCallsMax: 10,
  clockSkewMs: () => 0,
  changesAgeMs: () => 0,
}

function refusalOf(options: Partial<IntakeOptions>): ApiError | null {
  intake = new Intake({ ...IDLE, ...options })
  return refusal()
}

function refusal(): ApiError | null {
  try {
    intake.check()
    return null
  } catch (error) {
    if (error instanceof ApiError) return error
    throw error
  }
}

test.each<[string, Partial<IntakeOptions>, string | null]>([
  ['below every bound', {}, null],
  ['one call below the most', { openCalls: () => 9 }, null],
  ['the most calls under way', { openCalls: () => 10 }, 'OVERLOADED'],
  ['a clock half a minute off', { clockSkewMs: () => 30_000 }, null],
  ['a clock that is ahead', { clockSkewMs: () => 30_001 }, 'CLOCK_WRONG'],
  ['a clock that is behind', { clockSkewMs: () => -3_600_000 }, 'CLOCK_WRONG'],
  ['a database silent for three seconds', { changesAgeMs: () => 3_000 }, null],
  ['a database silent for longer', { changesAgeMs: () => 3_001 }, 'STORAGE_UNAVAILABLE'],
])('%s', (_, options, reason) => {
  const error = refusalOf(options)
  expect(error?.reason ?? null).toBe(reason)
  if (error !== null) expect([error.httpStatus, error.details.at(-1)?.['retryDelay']]).toEqual([503, '1s'])
})

function block(ms: number): void {
  const endMs = performance.now() + ms
  while (performance.now() < endMs);
}

test('a loop that stays late is an overload, until it is in time again', async () => {
  expect(refusalOf({})).toBeNull()
  const turn = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 0))
  const deadlineMs = performance.now() + 30_000
  while (refusal() === null && performance.now() < deadlineMs) {
    block(300)
    await turn()
  }
  expect(refusal()?.reason).toBe('OVERLOADED')
  while (refusal() !== null && performance.now() < deadlineMs) await turn()
  expect(refusal()).toBeNull()
})
