import { describe, expect, it } from 'vitest'
import { RISKS, hasRisk } from './risks.ts'
import type { KeyRow } from './rows.ts'

const NOW_MS = Date.UTC(2026, 10, 21)
const daysAgo = (days: number): string => new Date(NOW_MS - days * 86_400_000).toISOString()

/** A key that nobody needs to look at. */
const FINE = {
  key: { createTime: daysAgo(89), lastUsedTime: daysAgo(1), expireTime: daysAgo(-30) },
  status: 'active',
  chips: ['1 model'],
  isCapped: true,
}

function risksOf(part: object): readonly string[] {
  const row = { ...FINE, ...part } as unknown as KeyRow
  return RISKS.filter(risk => hasRisk(row, risk, NOW_MS))
}

describe('a key deserves a look', () => {
  it.each([
    ['never, when all is well', {}, []],
    ['without a cap', { isCapped: false }, ['no-cap']],
    ['without an expiry', { key: { ...FINE.key, expireTime: null } }, ['never-expires']],
    ['unrestricted', { chips: [], status: 'unrestricted' }, ['unrestricted']],
    ['unused for 90 days', { key: { ...FINE.key, lastUsedTime: daysAgo(90) } }, ['idle']],
    [
      'never used since it was made long ago',
      { key: { ...FINE.key, createTime: daysAgo(200), lastUsedTime: undefined } },
      ['old', 'idle'],
    ],
    ['about to expire', { key: { ...FINE.key, expireTime: daysAgo(-6) } }, ['expires-soon']],
    ['old', { key: { ...FINE.key, createTime: daysAgo(90) } }, ['old']],
    ['unused for 89 days, not yet', { key: { ...FINE.key, lastUsedTime: daysAgo(89) } }, []],
    [
      'disabled and not missed',
      { status: 'disabled', key: { ...FINE.key, lastUsedTime: daysAgo(30) } },
      ['safe-to-remove'],
    ],
    ['disabled yesterday, not yet', { status: 'disabled', isCapped: false, chips: [] }, []],
    ['deleted, no more', { status: 'deleted', isCapped: false, chips: [] }, []],
  ])('%s', (_, part, expected) => {
    expect(risksOf(part)).toEqual(expected)
  })
})
