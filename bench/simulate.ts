/**
 * Runs the simulation of many seeds: `node bench/simulate.ts [seeds] [first seed]`. The first seed that breaks a promise
 * ends it, with what happened in it.
 */
import { simulate } from '../test/simulation.ts'

const [seeds = 10_000, first = 1] = process.argv.slice(2).map(Number)
const SAID_EVERY = 1_000

const startedMs = performance.now()
const told = new Map<string, number>()
let [calls, faults] = [0, 0]
for (let seed = first; seed < first + seeds; seed += 1) {
  const run = await simulate(seed)
  calls += run.calls
  faults += run.faults
  for (const [what, count] of run.told) told.set(what, (told.get(what) ?? 0) + count)
  if (run.violation !== null) {
    for (const line of run.trace) console.log(line)
    console.log(`seed ${seed}: ${run.violation}; again with: node test/simulate.ts ${seed}`)
    process.exit(1)
  }
  if ((seed - first + 1) % SAID_EVERY === 0) console.log(`${seed - first + 1} seeds kept every promise`)
}
console.log([...told].map(([what, count]) => `${count} ${what}`).join(', '))
const seconds = Math.round((performance.now() - startedMs) / 1_000)
console.log(`${seeds} seeds: ${calls} calls, ${faults} faults, no promise broken (${seconds} s)`)
process.exit(0)
