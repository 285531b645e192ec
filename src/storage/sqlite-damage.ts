/** What SQLite finds wrong with its own file. */
import type { DatabaseSync } from 'node:sqlite'

/** Small tables in which money is kept: checked at every start, in a few milliseconds. */
export const MONEY_TABLES: readonly string[] = [
  'sqlite_schema',
  'node',
  'budget',
  'budget_period',
  'allotment',
  'ledger_entry',
  'usage_block',
  'usage_watermark',
]

/** What is wrong beyond this is of no more interest. */
const PROBLEMS_MAX = 5
/** SQLITE_CORRUPT, SQLITE_NOTADB (sqlite.org/rescode.html). */
const DAMAGED = new Set([11, 26])

/** Whether an error of SQLite says that the file is damaged. */
export function isSqliteDamage(error: unknown): boolean {
  if (error instanceof DatabaseDamaged) return true
  return error instanceof Error && 'errcode' in error && DAMAGED.has(Number(error.errcode) & 0xff)
}

/** A check found the file damaged. */
export class DatabaseDamaged extends Error {
  constructor(problems: readonly string[]) {
    super(problems.join('; '))
  }
}

/**
 * Problems in these tables and their indexes, or in the whole file, whose indexes are then compared with their tables
 * (sqlite.org/pragma.html#pragma_integrity_check). Takes as long as reading what it checks.
 */
export function damageIn(database: DatabaseSync, tables: readonly string[] | 'all'): readonly string[] {
  const checks =
    tables === 'all'
      ? [`integrity_check(${PROBLEMS_MAX})`]
      : tables.map(table => `quick_check('${table.replaceAll("'", "''")}')`)
  try {
    return checks
      .flatMap(check => database.prepare(`pragma ${check}`).all())
      .flatMap(row => Object.values(row).map(String))
      .filter(problem => problem !== 'ok')
      .slice(0, PROBLEMS_MAX)
  } catch (error) {
    if (isSqliteDamage(error) && error instanceof Error) return [error.message]
    throw error
  }
}
