/**
 * Breaks the rules of money, quotas and restrictions one at a time, and counts how often a test notices:
 * `node bench/mutation.ts [group ...]`, all groups without a name. A group takes 3 to 15 minutes on two cores that do
 * nothing else. What survived is listed in `.pollux/mutation-GROUP.json`. Exits with 1 below SCORE_MIN.
 */
import { Stryker } from '@stryker-mutator/core'

/** Per cent of the mutants that count: those of code that runs when a module is loaded do not. */
const SCORE_MIN = 85

const GROUPS: Readonly<Record<string, string>> = {
  prices: 'src/domain/{money,price,price-list,cost}.ts',
  bounds: 'src/domain/{bound,period,budget-fields,model-limits}.ts',
  restrictions: 'src/domain/{restriction,address,referrer,target,tool,model}.ts',
  quotas:
    'src/{domain/{quota,quota-fields,quota-window},quota/memory,gateway/{demand,quota,quota-errors}}.ts',
  ledger: 'src/gateway/{ledger,ledger-row,escrow,waiting-line,bounds}.ts',
}

interface Count {
  noticed: number
  missed: number
}

const asked = process.argv.slice(2)
const unknown = asked.filter(name => !Object.hasOwn(GROUPS, name))
if (unknown.length > 0) {
  console.error(`No group ${unknown.join(', ')}. There are: ${Object.keys(GROUPS).join(', ')}.`)
  process.exit(2)
}
const total: Count = { noticed: 0, missed: 0 }
for (const [name, files] of Object.entries(GROUPS)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  const startedMs = performance.now()
  const count = await mutate(name, files)
  total.noticed += count.noticed
  total.missed += count.missed
  const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1)
  console.log(`${name.padEnd(12)} ${told(count)} (${minutes} min)`)
}
console.log(`a test noticed ${told(total)}`)
process.exit(scoreOf(total) >= SCORE_MIN ? 0 : 1)

async function mutate(name: string, files: string): Promise<Count> {
  const mutants = await new Stryker({
    configFile: 'bench/mutation/stryker.json',
    mutate: [files],
    jsonReporter: { fileName: `.pollux/mutation-${name}.json` },
  }).runMutationTest()
  const count: Count = { noticed: 0, missed: 0 }
  for (const { status } of mutants) {
    if (status === 'Killed' || status === 'Timeout') count.noticed += 1
    if (status === 'Survived' || status === 'NoCoverage') count.missed += 1
  }
  return count
}

function scoreOf({ noticed, missed }: Count): number {
  return (100 * noticed) / (noticed + missed)
}

function told(count: Count): string {
  return `${count.noticed} of ${count.noticed + count.missed} mutants, ${scoreOf(count).toFixed(2)} %`
}
