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
}

interface Facts {
  readonly budgets: readonly BudgetJson[]
  readonly projects: readonly ProjectJson[]
  readonly keys: readonly KeyJson[]
}

/**
 * The organization, the live projects, and the keys that have a budget: of one project, where the place is one, and of one
 * key, with a budget or without, where it is that.
 */
export function treeOf({ budgets, projects, keys }: Facts, place: BudgetPlace): readonly BudgetNode[] {
  const nodes: BudgetNode[] = [
    { ...ORGANIZATION, name: 'Organization', depth: 0, budgets: budgetsAt(budgets, ORGANIZATION) },
  ]
  for (const { projectId, displayName, state } of projects) {
    if (state !== 'ACTIVE' || (place.project !== null && place.project !== projectId)) continue
    const here = { project: projectId, key: null }
    nodes.push({ ...here, name: displayName ?? projectId, depth: 1, budgets: budgetsAt(budgets, here) })
    const ids =
      place.key === null
        ? new Set(budgets.flatMap(({ project, key }) => (project === projectId && key ? key : [])))
        : [place.key]
    for (const id of ids) {
      const key = { project: projectId, key: id }
      nodes.push({
        ...key,
        name: nameOf({ projects, keys }, key),
        depth: 2,
        budgets: budgetsAt(budgets, key),
      })
    }
  }
  return nodes
}

/** The name of a key by its project and id. */
export function nameOf(
  { projects, keys }: Pick<Facts, 'projects' | 'keys'>,
  { project, key }: BudgetPlace,
): string {
  const parent = projects.find(({ projectId }) => projectId === project)?.name ?? ''
  const found = keys.find(({ name }) => name.startsWith(`${parent}/`) && name.endsWith(`/keys/${key ?? ''}`))
  return found?.displayName ?? key ?? ''
}

/** The place's own: the cap of a project's tier is the project's. */
export function budgetsAt(budgets: readonly BudgetJson[], place: BudgetPlace): readonly BudgetJson[] {
  return budgets.filter(({ project = null, key = null }) => project === place.project && key === place.key)
}
