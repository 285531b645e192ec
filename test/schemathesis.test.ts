/** The served OpenAPI document is true: schemathesis makes requests of it, and judges every reply by it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SCHEMATHESIS_REQUIREMENTS, furnish, fuzz } from './fuzzing.ts'
import { type Pollux, startPollux } from './pollux.ts'
import { PYTHON_INSTALL_WAIT_MS, missingPython, pythonWith } from './python.ts'

/** `npm run prove` takes a quarter of an hour, with another seed each time. */
const SECONDS = 60
const SEED = 20_260_101

const missing = missingPython()
if (missing !== null && process.env['CI'] === 'true') throw new Error(`CI needs ${missing}`)
if (missing !== null) console.warn(`skipped: schemathesis needs ${missing}`)

describe.skipIf(missing !== null)('requests made of the OpenAPI document', () => {
  let pollux: Pollux
  beforeAll(async () => {
    await pythonWith(SCHEMATHESIS_REQUIREMENTS)
    pollux = await startPollux()
    await furnish(pollux)
  }, PYTHON_INSTALL_WAIT_MS + 60_000)
  afterAll(() => pollux?.stop())

  it('get no 5xx, no status, type or body that it does not declare, and none without a credential', async () => {
    const { code, output } = await fuzz(pollux, { seed: SEED, seconds: SECONDS, examples: 15 })
    expect(output).toMatch(/Operations: +(\d{3,}) selected \/ \1 total/)
    expect(code, output).toBe(0)
    expect(pollux.process.exitCode).toBeNull()
  }, 400_000)
})
