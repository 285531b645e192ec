/** The fast suites: those that prove ledger, price and restriction without a database. */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/domain/**/*.test.ts', 'src/gateway/*.test.ts', 'test/{cost,ledger}.test.ts'],
    pool: 'threads',
    isolate: false,
    testTimeout: 20_000,
  },
})
