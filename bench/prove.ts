/** The long runs, one after the other: what takes too long for every test run. `npm run prove` prints their figures. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { stripVTControlCharacters } from 'node:util'

interface Run {
  readonly what: string
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** What its figures begin with, where they are not its last line. */
  readonly figures?: RegExp
}

const VITEST = 'node_modules/vitest/vitest.mjs'

const RUNS: readonly Run[] = [
  { what: '20 races to a cap of $1.00, SQLite', command: ['bench/cap.ts', '20', 'sqlite'] },
  { what: '20 races to a cap of $1.00, PostgreSQL', command: ['bench/cap.ts', '20', 'postgres'] },
  {
    what: '20 races to a cap of $1.00, five nodes on PostgreSQL',
    command: ['bench/cap.ts', '20', 'postgres', '--nodes', '5'],
  },
  { what: '500 kill -9 under load, SQLite', command: ['bench/kills.ts', '500', 'sqlite'] },
  { what: '500 kill -9 under load, PostgreSQL', command: ['bench/kills.ts', '500', 'postgres'] },
  {
    what: '500 kill -9 of one of five nodes, 50 of them with its folder',
    command: ['bench/kills.ts', '500', 'postgres', '--nodes', '5', '--folders', '50'],
  },
  { what: '10,000 simulated worlds of several nodes', command: ['bench/simulate.ts', '10000'] },
  { what: 'mutants of ledger, prices, quotas and restrictions', command: ['bench/mutation.ts'] },
  { what: '15 minutes of schemathesis', command: ['bench/schemathesis.ts', '900'] },
  {
    what: 'revocation and rate limits on five nodes, in the times that are promised',
    command: [VITEST, 'run', 'test/push', 'test/revocation', 'test/quota-nodes', 'test/faults-partition'],
    figures: /^(?:push|notify|\w+ on \d+ nodes)/,
  },
  {
    what: 'the console where every answer comes late',
    command: [VITEST, 'run', 'test/console'],
    env: { LATE_MS: '1500' },
    figures: /^\s+Tests /,
  },
  { what: 'the list and the budgets of 10,000 keys in Chromium', command: ['bench/keys-list.ts'] },
  { what: 'usage records made durable', command: ['bench/storage.ts'] },
  { what: 'the usage page, 10,000 keys, SQLite', command: ['bench/usage-page.ts', 'sqlite'] },
  { what: 'the usage page, 10,000 keys, PostgreSQL', command: ['bench/usage-page.ts', 'postgres'] },
  { what: '10,000 streams of events at once', command: ['bench/streams.ts', '10000', '20', '2000'] },
  { what: 'throughput against a bare Node proxy', command: ['bench/throughput.ts'] },
]

interface Proof extends Run {
  readonly passed: boolean
  readonly seconds: number
  readonly figure: string
}

const proofs: Proof[] = []
for (const run of RUNS) {
  console.log(`\n== ${run.what}`)
  proofs.push(await prove(run))
}
console.log('\n')
for (const { what, passed, seconds, figure } of proofs) {
  console.log(`${passed ? 'passed' : 'FAILED'}  ${what} (${Math.round(seconds)} s)\n        ${figure}`)
}
const failed = proofs.filter(({ passed }) => !passed).length
console.log(`\n${proofs.length - failed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)

/** Runs one proof, showing what it prints as it comes. */
async function prove(run: Run): Promise<Proof> {
  const startedMs = performance.now()
  // Times are held to what is promised (test/ceiling.ts).
  const env = { ...process.env, POLLUX_PROVE: '1', ...run.env }
  const child = spawn(process.execPath, [...run.command], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    process.stdout.write(chunk)
    output += chunk.toString('utf8')
  })
  const [status] = (await once(child, 'close')) as [number | null]
  const lines = stripVTControlCharacters(output).trim().split('\n')
  const { figures } = run
  const figure =
    figures === undefined ? lines.at(-1) : lines.filter(line => figures.test(line)).join('\n        ')
  return {
    ...run,
    passed: status === 0,
    seconds: (performance.now() - startedMs) / 1000,
    figure: figure ?? '',
  }
}
