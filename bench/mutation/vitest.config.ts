/** The fast suites: those that prove ledger, price, quota and restriction without a server. */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: [
      'src/domain/**/*.test.ts',
      'src/gateway/*.test.ts',
      'src/quota/memory.test.ts',
      'test/{cost,ledger,ledger-clock,quota-allocate,quota-rules,quota-release}.test.ts',
    ],
    // Mutants are of rules above the storage: a server for each of them would take hours.
    env: { POLLUX_TEST_ENGINE: 'sqlite' },
    pool: 'threads',
    isolate: false,
    testTimeout: 20_000,
  },
})
