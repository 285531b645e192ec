import { describe, expect, it } from 'vitest'
import type { Project } from './project.ts'
import { compileProjectQuery } from './project-query.ts'

const project: Project = {
  number: '415104041262',
  projectId: 'how-soon',
  displayName: 'Howling Wolf',
  parent: 'organizations/1',
  labels: { color: 'red', env: 'prod' },
  etag: '',
  createTimeMs: 0,
  updateTimeMs: 0,
  deleteTimeMs: null,
  modelAliases: {},
  tier: null,
  recoverableKeys: false,
  bodyRetentionHours: null,
}

describe('a search query', () => {
  it.each([
    ['', true],
    ['name:how*', true],
    ['NAME:HOWL*', true],
    ['displayName:"howling wolf"', true],
    ['name:how', false],
    ['id:how-soon', true],
    ['projectId=how-soon', true],
    ['labels.color:red', true],
    ['labels.color:*', true],
    ['labels.size:*', false],
    ['labels:prod', true],
    ['state:ACTIVE', true],
    ['state:DELETE_REQUESTED', false],
    ['parent:organizations/1', true],
    ['how-soon', true],
    ['state:DELETE_REQUESTED labels.color:red', true],
    ['state:DELETE_REQUESTED labels.color:blue', false],
  ])('%o finds the project: %o', (query, found) => {
    expect(compileProjectQuery(query)(project)).toBe(found)
  })

  it.each(['owner:me', 'constructor:x'])('%o is refused for its field', query => {
    expect(() => compileProjectQuery(query)).toThrow(/fields of a term/)
  })
})
