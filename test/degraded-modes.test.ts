import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { degradedModesTable } from '../src/domain/degraded-mode.ts'

test('docs/operations.md has the table of degraded modes as the program has it', () => {
  const page = readFileSync(join(import.meta.dirname, '..', 'docs', 'operations.md'), 'utf8')
  expect(page).toContain(degradedModesTable())
})
