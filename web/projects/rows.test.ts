import { expect, test } from 'vitest'
import type { ProjectJson } from '../queries.ts'
import { environmentOf, idFrom, labelText, labelsOf, projectRows } from './rows.ts'

const PROJECT: ProjectJson = {
  name: 'projects/100',
  parent: 'organizations/1',
  projectId: 'web-shop',
  displayName: 'Web shop',
  state: 'ACTIVE',
  createTime: '2026-11-01T00:00:00Z',
  updateTime: '2026-11-01T00:00:00Z',
  etag: 'W/"1"',
  labels: { team: 'shop', environment: 'production' },
}

test('labels go through the form unchanged, the environment beside them', () => {
  expect([environmentOf(PROJECT), labelText(PROJECT)]).toEqual(['production', 'team=shop'])
  expect(labelsOf('team=shop\n\n cost-center = a=b ', 'production')).toEqual({
    ...PROJECT.labels,
    'cost-center': 'a=b',
  })
  expect(labelsOf('', '')).toEqual({})
})

test.each([
  ['Web shop', 'web-shop'],
  ['  1st prototype!', 'st-prototype'],
  ['A name that is longer than thirty letters', 'a-name-that-is-longer-than-thi'],
  ['Exactly twenty-nine letters. x', 'exactly-twenty-nine-letters-x'],
])('the id of %j is %j', (name, id) => expect(idFrom(name)).toBe(id))

test('a row counts live keys, knows the newest use, and takes the budget of the month', () => {
  const key = {
    state: 'ACTIVE',
    lastUsedTime: '2026-11-02T00:00:00Z',
    name: 'projects/100/locations/global/keys/a',
  }
  const gone = { ...key, state: 'DELETED', lastUsedTime: '2026-11-09T00:00:00Z' }
  const other = { ...key, name: 'projects/200/locations/global/keys/b' }
  const budget = { scope: 'project', project: 'web-shop', period: 'day' }
  const [row] = projectRows({
    projects: [PROJECT],
    keys: [key, gone, other] as never,
    budgets: [budget, { ...budget, period: 'month' }, { ...budget, scope: 'key', period: 'month' }] as never,
    usage: [{ project: 'projects/100', rows: [{ costNanos: '5' }, { costNanos: '7' }] }] as never,
  })
  expect(row).toMatchObject({
    keys: 1,
    lastUsedTime: '2026-11-02T00:00:00Z',
    spentNanos: 12n,
    budget: { scope: 'project', period: 'month' },
  })
})
