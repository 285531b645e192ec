/** The long runs, one after the other: what takes too long for every test run. `npm run prove` prints their figures. */
import { spawnSync } from 'node:child_process'

const RUNS: readonly (readonly [what: string, ...command: string[]])[] = [
  ['100 kill -9 under load, SQLite', 'bench/kills.ts', '100', 'sqlite'],
  ['100 kill -9 under load, PostgreSQL', 'bench/kills.ts', '100', 'postgres'],
  ['usage records made durable', 'bench/storage.ts'],
  ['throughput against a bare Node proxy', 'bench/throughput.ts'],
]

let failed = 0
for (const [what, ...command] of RUNS) {
  console.log(`\n== ${what}`)
  const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' })
  if (status !== 0) failed++
}
console.log(`\n${RUNS.length - failed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
