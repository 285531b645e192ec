/** The budgets as the tree that calls go up: from a key to its project to the organization. */
import type { BudgetJson, KeyJson, ProjectJson } from '../queries.ts'

/** Where budgets hang: the organization, a project, or one of its keys. */
export interface BudgetPlace {
  readonly project: string | null
  readonly key: string | null
}

const ORGANIZATION: BudgetPlace = { project: null, key: null }

export interface BudgetNode extends BudgetPlace {
  readonly name: string
  readonly depth: 0 | 1 | 2
  readonly budgets: readonly BudgetJson[]
  /** How many keys stand below it, in front of the next project. */
  readonly keys: number
  /** Of a project: the largest part of a cap that one of its keys has spent. 0: none has a cap. */
  readonly fullest: number
}

interface Facts {
  readonly budgets: readonly BudgetJson[]
  readonly projects: readonly ProjectJson[]
  readonly keys: readonly KeyJson[]
}

/** Rows in the document at once: with ten thousand a browser is busy for half a minute. */
export const NODES_PER_PAGE = 50

/**
 * The organization, the live projects, and the keys that have a budget: of one project, where the place is one, and of one
 * key, with a budget or without, where it is that. More than a page of them are in order: nearest to a cap first.
 */
export function treeOf({ budgets, projects, keys }: Facts, place: BudgetPlace): readonly BudgetNode[] {
  const byPlace = Map.groupBy(budgets, ({ project = '', key = '' }) => `${project}/${key}`)
  const ids = Map.groupBy(new Set(byPlace.keys()), path => path.slice(0, path.indexOf('/')))
  const names = namesOf(keys)
  const branches = projects
    .filter(
      ({ projectId, state }) => state === 'ACTIVE' && (place.project === null || place.project === projectId),
    )
    .map(({ projectId, displayName, name }) => {
      const capped = (ids.get(projectId) ?? []).map(path => path.slice(projectId.length + 1)).filter(Boolean)
      const below = (place.key === null ? capped : [place.key]).map((key): BudgetNode => {
        const own = byPlace.get(`${projectId}/${key}`) ?? []
        const keyName = names.get(`${name}/${key}`) ?? key
        return { project: projectId, key, name: keyName, depth: 2, budgets: own, keys: 0, fullest: 0 }
      })
      const node: BudgetNode = {
        project: projectId,
        key: null,
        name: displayName ?? projectId,
        depth: 1,
        budgets: byPlace.get(`${projectId}/`) ?? [],
        keys: below.length,
        fullest: below.reduce((most, key) => Math.max(most, shareOf(key)), 0),
      }
      return { node, below }
    })
  const organization: BudgetNode = {
    ...ORGANIZATION,
    name: 'Organization',
    depth: 0,
    budgets: byPlace.get('/') ?? [],
    keys: 0,
    fullest: 0,
  }
  const tree = (): BudgetNode[] => [organization, ...branches.flatMap(({ node, below }) => [node, ...below])]
  if (tree().length <= NODES_PER_PAGE) return tree()
  branches.sort((one, other) => shareOf(other.node) - shareOf(one.node))
  for (const { below } of branches) below.sort((one, other) => shareOf(other) - shareOf(one))
  return tree()
}

/** By project's resource name and key's id, which may have been that of deleted keys before. */
function namesOf(keys: readonly KeyJson[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const { name, displayName, state } of keys) {
    const [collection = '', number = '', ...rest] = name.split('/')
    const path = `${collection}/${number}/${rest.at(-1) ?? ''}`
    if (displayName !== undefined && (state !== 'DELETED' || !names.has(path))) names.set(path, displayName)
  }
  return names
}

/** How near the node, or a key below it, is to a cap. */
function shareOf({ budgets, fullest }: BudgetNode): number {
  return budgets.reduce(
    (most, { posted, cap }) => Math.max(most, cap === '0' ? Infinity : Number(posted) / Number(cap)),
    fullest,
  )
}

/** The nodes that are asked for: all where they fit on a page; else the keys of the open project only, or what bears a name. */
export function nodesShown(
  tree: readonly BudgetNode[],
  { open, q }: { readonly open: string; readonly q: string },
): readonly BudgetNode[] {
  if (tree.length <= NODES_PER_PAGE) return tree
  const text = q.trim().toLowerCase()
  const isOne = isOfOneProject(tree)
  if (text === '') return tree.filter(({ depth, project }) => depth < 2 || isOne || project === open)
  const found = new Set(
    tree.filter(({ name, project, key }) => `${name} ${key ?? project ?? ''}`.toLowerCase().includes(text)),
  )
  const parents = new Set(Array.from(found, ({ project }) => project))
  return tree.filter(node => found.has(node) || (node.depth === 1 && parents.has(node.project)))
}

/** Its keys are shown whatever is open. */
export function isOfOneProject(tree: readonly BudgetNode[]): boolean {
  return tree.filter(({ depth }) => depth === 1).length === 1
}

/** A page of the nodes, from 1. One that begins among keys begins with their project. */
export function pageOf(nodes: readonly BudgetNode[], page: number): readonly BudgetNode[] {
  const first = (page - 1) * NODES_PER_PAGE
  const shown = nodes.slice(first, first + NODES_PER_PAGE)
  if (shown[0]?.depth !== 2) return shown
  const parent = nodes.findLast(({ depth }, at) => at < first && depth === 1)
  return parent === undefined ? shown : [parent, ...shown]
}

/** On which page a project stands. */
export function pageWith(nodes: readonly BudgetNode[], project: string | null): number {
  const at = nodes.findIndex(node => node.depth === 1 && node.project === project)
  return Math.floor(Math.max(0, at) / NODES_PER_PAGE) + 1
}

/** The place's own: the cap of a project's tier is the project's. */
export function budgetsAt(budgets: readonly BudgetJson[], place: BudgetPlace): readonly BudgetJson[] {
  return budgets.filter(({ project = null, key = null }) => project === place.project && key === place.key)
}
