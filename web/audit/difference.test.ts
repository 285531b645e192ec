import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { differences } from './difference.ts'

describe('what an entry changed', () => {
  it.each([
    ['nothing', { a: 1, b: { c: [1, 2] } }, { b: { c: [1, 2] }, a: 1 }, []],
    ['absent, undefined and null alike', { a: null, b: undefined }, {}, []],
    ['a value', { name: 'Old' }, { name: 'New' }, [['name', 'changed', 'Old', 'New']]],
    [
      'what is made',
      null,
      { displayName: 'Web', restrictions: { allowedModels: ['pro'] } },
      [
        ['displayName', 'added', '', 'Web'],
        ['restrictions.allowedModels', 'added', '', 'pro'],
      ],
    ],
    ['what is removed', { labels: { team: 'a' } }, null, [['labels.team', 'removed', 'a', '']]],
    [
      'one entry of a list',
      { models: ['a', 'b'] },
      { models: ['b', 'c'] },
      [
        ['models', 'removed', 'a', ''],
        ['models', 'added', '', 'c'],
      ],
    ],
    ['an order that means nothing', { models: ['a', 'b'] }, { models: ['b', 'a'] }, []],
    ['an empty list, which is not none', { tools: null }, { tools: [] }, [['tools', 'added', '', '[]']]],
    [
      'one member of one role',
      { bindings: [{ role: 'roles/viewer', members: ['user:a'] }] },
      {
        bindings: [
          { role: 'roles/owner', members: ['user:b'] },
          { role: 'roles/viewer', members: ['user:a', 'user:c'] },
        ],
      },
      [
        ['bindings[roles/viewer].members', 'added', '', 'user:c'],
        ['bindings[roles/owner].members', 'added', '', 'user:b'],
      ],
    ],
    [
      'times and money in words',
      { disabledTimeMs: null, capNanos: '1500000000' },
      { disabledTimeMs: 1_763_700_000_000, capNanos: '2000000000' },
      [
        ['disabledTimeMs', 'added', '', '2025-11-21T04:40:00.000Z'],
        ['capNanos', 'changed', '$1.50', '$2.00'],
      ],
    ],
  ])('%s', (_, before, after, expected) => {
    expect(
      differences(before, after).map(({ path, kind, before: was, after: is }) => [path, kind, was, is]),
    ).toEqual(expected)
  })

  it('is nothing between a state and itself, and the other way round between two', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        expect(differences(one, one)).toEqual([])
        const there = differences(one, other)
        const back = differences(other, one)
        expect(back.length).toBe(there.length)
        expect(there.filter(({ kind }) => kind === 'added').length).toBe(
          back.filter(({ kind }) => kind === 'removed').length,
        )
      }),
    )
  })
})
