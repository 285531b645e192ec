/**
 * The long run of test/schemathesis.test.ts: `node bench/schemathesis.ts [SECONDS] [SEED]`. Its last line is its figure; the
 * seed of a failure is printed.
 */
import { furnish, fuzz } from '../test/fuzzing.ts'
import { startPollux } from '../test/pollux.ts'

const seconds = Number(process.argv[2] ?? 900)
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000_007)
const pollux = await startPollux()
try {
  await furnish(pollux)
  const { code, output } = await fuzz(pollux, { seed, seconds, examples: 300 })
  console.log(output)
  const cases = /(\d[\d,]*) (?:generated|test cases)[^\n]*/.exec(output)?.[0] ?? ''
  console.log(
    `seed ${seed}, ${seconds} s: ${code === 0 ? 'every reply was as declared' : 'FAILED'} ${cases}`.trim(),
  )
  process.exitCode = code === 0 ? 0 : 1
} finally {
  await pollux.stop()
}
