import { describe, expect, it } from 'vitest'
import type { BudgetJson, KeyJson, ProjectJson } from '../queries.ts'
import { NODES_PER_PAGE, nodesShown, pageOf, pageWith, treeOf } from './tree.ts'

const EVERYWHERE = { project: null, key: null }
const CLOSED = { open: '', q: '' }
const budget = (project: string, key: string, posted: number) =>
  ({ project, key, posted: String(posted), cap: '100' }) as BudgetJson
const projectOf = (projectId: string, number: string) =>
  ({ projectId, name: `projects/${number}`, state: 'ACTIVE' }) as ProjectJson
const keyOf = (number: string, id: string, displayName: string, state = 'ACTIVE') =>
  ({ name: `projects/${number}/locations/global/keys/${id}`, displayName, state }) as KeyJson

/** Each project with as many capped keys; the later a key, the fuller. */
function facts(projects: number, keys: number) {
  const ids = Array.from({ length: projects }, (_, at) => `project-${at}`)
  return {
    projects: ids.map((id, at) => projectOf(id, String(at))),
    budgets: ids.flatMap(id => Array.from({ length: keys }, (_, at) => budget(id, `key-${at}`, at))),
    keys: [
      keyOf('0', 'key-0', 'Was', 'DELETED'),
      keyOf('0', 'key-0', 'Is'),
      keyOf('0', 'key-0', 'Old', 'DELETED'),
    ],
  }
}

describe('the tree of budgets', () => {
  it('is shown whole and in its order where it fits on a page', () => {
    const tree = treeOf(facts(2, 3), EVERYWHERE)
    expect(nodesShown(tree, CLOSED)).toEqual(tree)
    expect(tree.map(({ name }) => name).join(' ')).toBe(
      'Organization project-0 Is key-1 key-2 project-1 key-0 key-1 key-2',
    )
  })

  it('has the keys of one project at a time where it does not, those nearest to their caps first', () => {
    const tree = treeOf(facts(3, 60), EVERYWHERE)
    expect(nodesShown(tree, CLOSED).map(({ name }) => name)).toEqual([
      'Organization',
      'project-0',
      'project-1',
      'project-2',
    ])
    const open = nodesShown(tree, { ...CLOSED, open: 'project-1' })
    expect(open.slice(0, 5).map(({ key }) => key)).toEqual([null, null, null, 'key-59', 'key-58'])
    expect(tree.find(({ key }) => key === null)?.fullest).toBe(0)
    expect(open[2]?.fullest).toBe(0.59)
  })

  it('has the projects that are nearest to a cap first, by their own or by those of their keys', () => {
    const { budgets, ...others } = facts(60, 1)
    const full = [
      budget('project-7', 'key-0', 50),
      { ...budget('project-9', '', 80), key: undefined } as BudgetJson,
    ]
    const tree = treeOf({ ...others, budgets: [...budgets, ...full] }, EVERYWHERE)
    expect(
      nodesShown(tree, CLOSED)
        .slice(1, 4)
        .map(({ project }) => project),
    ).toEqual(['project-9', 'project-7', 'project-0'])
  })

  it('is searched by name and id, below its projects', () => {
    const tree = treeOf(facts(2, 60), EVERYWHERE)
    const found = nodesShown(tree, { open: '', q: ' KEY-1 ' })
    expect(found[0]?.project).toBe('project-0')
    expect(new Set(found.filter(({ depth }) => depth === 2).map(({ key }) => key?.slice(0, 5)))).toEqual(
      new Set(['key-1']),
    )
    expect(nodesShown(tree, { open: '', q: 'is' }).map(({ name }) => name)).toEqual(['project-0', 'Is'])
  })

  it('is turned by pages that begin with a project, and opens where that stands', () => {
    const tree = treeOf(facts(60, 60), EVERYWHERE)
    const shown = nodesShown(tree, { ...CLOSED, open: 'project-40' })
    expect(pageWith(shown, 'project-40')).toBe(1)
    expect(pageWith(shown, 'project-41')).toBe(3)
    const second = pageOf(shown, 2)
    expect([second.length, second[0]?.project, second[0]?.key]).toEqual([
      NODES_PER_PAGE + 1,
      'project-40',
      null,
    ])
    const pages = [1, 2, 3].flatMap(page => pageOf(shown, page))
    expect(new Set(pages).size).toBe(shown.length)
  })

  it('of one project is open, and of one key has no others', () => {
    const all = facts(3, 60)
    const project = treeOf(all, { project: 'project-0', key: null })
    expect(nodesShown(project, CLOSED).length).toBe(62)
    const key = treeOf(all, { project: 'project-0', key: 'key-0' })
    expect(key.map(({ name }) => name)).toEqual(['Organization', 'project-0', 'Is'])
  })
})
