import { describe, expect, it } from 'vitest'
import { KEY_BUDGETS_V1, ORGANIZATION_BUDGETS_V1, PROJECT_BUDGETS_V1 } from '../contract/budgets.v1.ts'
import { type PlaceFlags, budgetPatch, collectionOf } from './budget-flags.ts'
import { CliError } from './errors.ts'

describe('whose budget it is', () => {
  const cases: readonly (readonly [PlaceFlags, unknown, object])[] = [
    [{ scope: 'organization' }, ORGANIZATION_BUDGETS_V1, { organization: '1' }],
    [{ project: 'p' }, PROJECT_BUDGETS_V1, { project: 'p' }],
    [{ project: 'projects/p', scope: 'project' }, PROJECT_BUDGETS_V1, { project: 'p' }],
    [{ scope: 'project' }, PROJECT_BUDGETS_V1, { project: 'default-project' }],
    [{ project: 'p', key: 'k' }, KEY_BUDGETS_V1, { project: 'p', key: 'k' }],
    [{ project: 'p', key: 'k', scope: 'key' }, KEY_BUDGETS_V1, { project: 'p', key: 'k' }],
    [{ key: 'k' }, KEY_BUDGETS_V1, { project: 'default-project', key: 'k' }],
    [{ key: 'projects/p/locations/global/keys/k' }, KEY_BUDGETS_V1, { project: 'p', key: 'k' }],
  ]
  it.each(cases)('%j says it', (flags, table, parent) => {
    const collection = collectionOf(flags)
    expect(collection.table).toBe(table)
    expect(collection.parent).toEqual(parent)
  })

  const refused: readonly PlaceFlags[] = [
    {},
    { scope: 'key' },
    { scope: 'key', project: 'p' },
    { scope: 'organization', project: 'p' },
    { scope: 'organization', key: 'k' },
    { scope: 'project', project: 'p', key: 'k' },
    { project: 'p', key: 'projects/q/keys/k' },
    { project: '' },
    { project: 'p', key: '' },
    { project: 'a/b' },
  ]
  it.each(refused)('%j does not, and is a mistake of usage', flags => {
    expect(() => collectionOf(flags)).toThrow(CliError)
  })
})

describe('what is set', () => {
  it('is what flags are given for', () => {
    expect(budgetPatch({ cap: '1' })).toEqual({ updateMask: 'cap', body: { cap: '1' } })
    expect(
      budgetPatch({ policy: 'refuse', clearDefaultMaxOutputTokens: true, clearToolCeilings: true }),
    ).toEqual({
      updateMask: 'policy,defaultMaxOutputTokens,toolCeilings',
      body: { policy: 'refuse', defaultMaxOutputTokens: null, toolCeilings: {} },
    })
  })

  it('must be something', () => {
    expect(() => budgetPatch({})).toThrow(CliError)
  })
})
