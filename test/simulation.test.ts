/** The simulation in small: `node bench/simulate.ts` runs it at length, `node test/simulate.ts SEED` a seed again. */
import { expect, test } from 'vitest'
import { type Run, type SimulationOptions, simulate } from './simulation.ts'

const SEEDS = 200
/** A minute and more where others use the machine; ten seconds alone. */
const SLOW_MS = 240_000
/** Within so many seeds a broken rule has to be found. */
const FOUND_WITHIN = 60

/** The first of the seeds that breaks a promise. */
async function firstBroken(seeds: number, options: SimulationOptions = {}): Promise<Run | null> {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const run = await simulate(seed, options)
    if (run.violation !== null) return run
  }
  return null
}

test(
  `no promise is broken in ${SEEDS} worlds of nodes that die, stand still and lose answers`,
  async () => {
    const broken = await firstBroken(SEEDS)
    const told =
      broken === null
        ? ''
        : [...broken.trace, broken.violation, `node test/simulate.ts ${broken.seed}`].join('\n')
    expect(told).toBe('')
  },
  SLOW_MS,
)

test('a seed gives the same run each time', async () => {
  const [one, other] = [await simulate(76), await simulate(76)]
  expect(one.trace.length).toBeGreaterThan(20)
  expect(other.trace).toEqual(one.trace)
})

test.each([
  ['a call is sent without its hold in the journal', 'journal'],
  ['a call is sent that may cost more than it holds', 'worst case'],
  ['what a call cost is recorded and not posted', 'posting'],
  ['a hold is let go before its record is durable', 'early release'],
] as const)('it is found when %s', async (_, broken) => {
  const run = await firstBroken(FOUND_WITHIN, { broken })
  expect(run?.violation).toEqual(expect.any(String))
})
