/** The race of bench/cap.ts in small: `npm run prove` runs it twenty times on each engine. */
import { afterAll, describe, expect, test } from 'vitest'
import { type CapOptions, raceToCap, summary } from '../bench/cap.ts'
import { tryPlaces } from '../bench/place.ts'
import { MIXED } from './spend-clients.ts'

type Run = Omit<CapOptions, 'seed'>

const RUNS: Readonly<Record<'sqlite' | 'postgres', readonly Run[]>> = {
  sqlite: [
    { clients: 200, forms: MIXED, faultShare: 0 },
    { clients: 1_000, forms: MIXED, faultShare: 0.02 },
  ],
  postgres: [{ clients: 200, forms: MIXED, faultShare: 0.02 }],
}

const PLACES = { sqlite: await tryPlaces('sqlite'), postgres: await tryPlaces('postgres') }

describe.each(['sqlite', 'postgres'] as const)('%s', engine => {
  const places = PLACES[engine]
  afterAll(async () => {
    if (!('skip' in places)) await places.close()
  })

  test.skipIf('skip' in places).each(RUNS[engine])(
    '$clients clients that race to a cap never pass it, spend 95 % of it, and are refused nothing that fits',
    { timeout: 150_000 },
    async run => {
      if ('skip' in places) throw new Error(places.skip)
      const result = await raceToCap(places, { ...run, seed: Math.floor(Math.random() * 1_000_000) })
      const line = summary(result)
      console.log(line)
      expect(result.violations.slice(0, 20), line).toEqual([])
      expect(result.refused402).toBe(run.clients)
    },
  )
})
