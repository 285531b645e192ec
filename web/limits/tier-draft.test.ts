import { expect, test } from 'vitest'
import { EMPTY_TIER, bodyOf, draftOf, patchOf, tierProblems } from './tier-draft.ts'
import type { TierJson } from './queries.ts'

const TIER: TierJson = {
  name: 'tiers/team',
  displayName: 'Team',
  quotaIdSuffix: 'Team',
  limits: [
    { metric: 'requestsPerMinute', model: 'gemini-3.8-flash', value: '60' },
    { metric: 'requestsPerDay', value: '-1' },
  ],
  allowedModels: ['gemini-3*'],
  allowedMethods: null,
  allowedTools: [],
  spendCap: '12500000000',
  priceFactor: '1.5',
  isShipped: false,
}

test('a tier goes through the form unchanged', () => {
  const { name, isShipped, ...fields } = TIER
  expect([name, isShipped, bodyOf(draftOf(TIER))]).toEqual(['tiers/team', false, fields])
  expect(patchOf(draftOf(TIER), draftOf(TIER))).toEqual({})
})

test('only what was changed is sent, so that fields the form does not know stay', () => {
  const before = draftOf(TIER)
  expect(patchOf(before, { ...before, displayName: 'Staff' })).toEqual({ displayName: 'Staff' })
  const lines = before.lines.map(line => ({ ...line, values: {} }))
  expect(patchOf(before, { ...before, lines })).toEqual({ limits: [] })
})

test.each([
  ['id', { id: 'Team 1' }],
  ['displayName', { displayName: 'x'.repeat(64) }],
  ['quotaIdSuffix', { quotaIdSuffix: 'no-hyphen' }],
  ['limits', { lines: [{ model: '*', values: { requestsPerMinute: 'many' } }] }],
  ['limits', { lines: [{ model: 'not a model', values: { requestsPerMinute: '1' } }] }],
  ['limits', { lines: [EMPTY_TIER.lines[0], EMPTY_TIER.lines[0]] }],
  ['spendCap', { spendCap: 'ten' }],
  ['spendCap', { spendCap: '0' }],
  ['priceFactor', { priceFactor: 'half' }],
  ['models', { access: { ...EMPTY_TIER.access, models: 'not a model' } }],
] as const)('what is wrong with %s is said', (field, change) => {
  expect(Object.values(tierProblems(EMPTY_TIER))).toEqual(Array(7).fill(null))
  const problems = tierProblems({ ...EMPTY_TIER, ...change } as typeof EMPTY_TIER)
  expect(problems[field]).not.toBeNull()
})
