import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Suites that take longest, so that none of them is begun when all else is over: two minutes of a whole run. */
const FIRST = [
  'console-access',
  'storage-recovery',
  'spend-nodes',
  'storage-ledger',
  'push',
  'storage-usage',
  'faults-damage',
  'faults-partition',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const found = FIRST.findIndex(name => moduleId.endsWith(`/test/${name}.test.ts`))
      return found === -1 ? FIRST.length : found
    }
    return (await super.sort(files)).toSorted((one, other) => place(one) - place(other))
  }
}

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'web/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    testTimeout: 60_000,
    hookTimeout: 240_000,
    // What is waited for comes at once, but for a machine that is busy with other suites.
    expect: { poll: { timeout: 15_000 } },
    pool: 'forks',
    fileParallelism: true,
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
})
