/** The list of projects as data, and what the form of one holds. */
import { ENVIRONMENTS, type Environment } from '../../src/domain/key.ts'
import { idOf } from '../keys/rows.ts'
import type { BudgetJson, KeyJson, ProjectJson, UsageReport } from '../queries.ts'

export interface ProjectRow {
  readonly project: ProjectJson
  readonly projectId: string
  readonly name: string
  readonly isDeleted: boolean
  readonly environment: Environment | null
  /** Of those that are not deleted. */
  readonly keys: number
  /** A call with one of its keys, the newest; null: none that is known. */
  readonly lastUsedTime: string | null
  /** This month's cost, nano-dollars. */
  readonly spentNanos: bigint
  /** Its budget of the month, else its fullest other one. */
  readonly budget: BudgetJson | null
}

export interface ProjectFacts {
  readonly projects: readonly ProjectJson[]
  readonly keys: readonly KeyJson[]
  readonly budgets: readonly BudgetJson[]
  /** Of this month, by project name. */
  readonly usage: readonly UsageReport[]
}

/** The label that says which deployment a project is for. */
const ENVIRONMENT_LABEL = 'environment'

export function environmentOf({ labels = {} }: ProjectJson): Environment | null {
  return ENVIRONMENTS.find(name => name === labels[ENVIRONMENT_LABEL]) ?? null
}

/** Every project as a row, in the server's order. */
export function projectRows({ projects, keys, budgets, usage }: ProjectFacts): readonly ProjectRow[] {
  const keysBy = Map.groupBy(
    keys.filter(({ state }) => state !== 'DELETED'),
    ({ name }) => name.split('/')[1] ?? '',
  )
  const spent = new Map(
    usage.map(({ project, rows }) => [
      project,
      rows.reduce((sum, { costNanos }) => sum + BigInt(costNanos), 0n),
    ]),
  )
  return projects.map(project => {
    const own = keysBy.get(idOf(project.name)) ?? []
    const times = own.flatMap(({ lastUsedTime }) => lastUsedTime ?? [])
    return {
      project,
      projectId: project.projectId,
      name: project.displayName || project.projectId,
      isDeleted: project.state !== 'ACTIVE',
      environment: environmentOf(project),
      keys: own.length,
      lastUsedTime: times.toSorted().at(-1) ?? null,
      spentNanos: spent.get(project.name) ?? 0n,
      budget: budgetOf(project, budgets),
    }
  })
}

function budgetOf({ projectId }: ProjectJson, budgets: readonly BudgetJson[]): BudgetJson | null {
  const own = budgets.filter(({ scope, project }) => scope === 'project' && project === projectId)
  return own.find(({ period }) => period === 'month') ?? own[0] ?? null
}

/** Labels as text, `key=value` a line, without the one of the environment. */
export function labelText({ labels = {} }: ProjectJson): string {
  return Object.entries(labels)
    .filter(([key]) => key !== ENVIRONMENT_LABEL)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')
}

/** The labels that a text and an environment describe; not checked. */
export function labelsOf(text: string, environment: Environment | ''): Readonly<Record<string, string>> {
  const lines = text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
  const labels = lines.map(line => {
    const [key = '', ...value] = line.split('=')
    return [key.trim(), value.join('=').trim()]
  })
  return {
    ...(Object.fromEntries(labels) as Record<string, string>),
    ...(environment === '' ? {} : { [ENVIRONMENT_LABEL]: environment }),
  }
}

/** An id that follows from a name: `Web shop` -> `web-shop`. */
export function idFrom(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^[^a-z]+|-+$/g, '')
    .slice(0, 30)
    .replace(/-+$/, '')
}
