/**
 * Questions that read much of the database. They are answered beside everything else (`Engine.read`): what they
 * say goes from thread to thread, and nothing that is committed waits for them.
 */
import type { Db } from './schema.ts'
import { type Spent, type SpentAsk, readSpent } from './spent.ts'
import type { Verification } from './storage.ts'
import { verifyLedger } from './verify.ts'

/** What a reading reads from. */
export interface ReadingSource {
  /** Runs `work` in a transaction that sees one moment. */
  readonly snapshot: <Result>(work: (trx: Db) => Promise<Result>) => Promise<Result>
  /** What is wrong with the whole file, where there is one. Not in a transaction: damage ends it. */
  readonly findDamage: () => readonly string[]
}

/** What each is asked, and what it says. */
export interface Readings {
  /** Whether the books are true; null where they cannot be read for the problems. */
  readonly verification: {
    readonly ask: null
    readonly answer: { readonly problems: readonly string[]; readonly verification: Verification | null }
  }
  readonly spent: { readonly ask: SpentAsk; readonly answer: Spent }
}

export type ReadingName = keyof Readings

export const READINGS: {
  readonly [Name in ReadingName]: (
    source: ReadingSource,
    ask: Readings[Name]['ask'],
  ) => Promise<Readings[Name]['answer']>
} = {
  async verification({ snapshot, findDamage }) {
    const problems = findDamage()
    return { problems, verification: problems.length === 0 ? await snapshot(verifyLedger) : null }
  },
  spent: async ({ snapshot }, ask) => await snapshot(trx => readSpent(trx, ask)),
}
