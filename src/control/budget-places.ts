/** Where budgets hang: the organization, a project, or a key's lineage; and what they are called for it. */
import { ApiError } from '../domain/error.ts'
import type { Budget, BudgetScope } from '../domain/budget.ts'
import type { Key } from '../domain/key.ts'
import { ORGANIZATION, type Project } from '../domain/project.ts'
import { shownName } from '../domain/redaction.ts'
import type { BudgetQuery, Storage } from '../storage/storage.ts'
import type { CallFacts } from './call.ts'
import { requireKey, requireProject } from './lookup.ts'
import { projectName } from './resource-names.ts'

export interface BudgetPlace {
  readonly scope: BudgetScope
  readonly projectNumber: string | null
  readonly projectId: string | null
  readonly lineage: string | null
  readonly keyId: string | null
  /** The id of the project's tier. */
  readonly tier: string | null
}

const ORGANIZATION_PLACE: BudgetPlace = {
  scope: 'organization',
  projectNumber: null,
  projectId: null,
  lineage: null,
  keyId: null,
  tier: null,
}

const KEYS_PER_PAGE = 300

/** The place that the parameters `organization`, `project` and `key` of a path name; RESOURCE_NOT_FOUND without one. */
export async function requirePlace(
  storage: Storage,
  { organization, project, key }: Readonly<Record<string, string>>,
  call: CallFacts,
): Promise<BudgetPlace> {
  if (project === undefined) {
    if (`organizations/${organization ?? ''}` === ORGANIZATION) return ORGANIZATION_PLACE
    throw new ApiError(
      'RESOURCE_NOT_FOUND',
      `Organization organizations/${shownName(organization ?? '')} does not exist. There is one: ${ORGANIZATION}.`,
    )
  }
  if (key === undefined) return projectPlace(await requireProject(storage, project, call))
  return keyPlace(await requireKey(storage, { project, key }, call))
}

/** `projects/415104041262/keys/web/budgets/total`; `projects/415104041262/budgets/tier` for the cap of its tier. */
export function budgetName(place: BudgetPlace, period: string): string {
  return `${parentName(place)}/budgets/${place.scope === 'tier' ? TIER_BUDGET_ID : period}`
}

/** The id of the budget that a project has of its tier. */
export const TIER_BUDGET_ID = 'tier'

/** Where the cap of the tier hangs of the project at `place`. */
export function tierPlace(place: BudgetPlace): BudgetPlace {
  return { ...place, scope: 'tier' }
}

/** `organizations/1`, `projects/415104041262` or `projects/415104041262/keys/web` */
export function parentName({ projectNumber, keyId }: BudgetPlace): string {
  if (projectNumber === null) return ORGANIZATION
  return keyId === null ? projectName(projectNumber) : `${projectName(projectNumber)}/keys/${keyId}`
}

/** The query for the budgets of exactly this place. */
export function budgetsAt({ scope, projectNumber, lineage }: BudgetPlace): BudgetQuery {
  return {
    scope,
    ...(projectNumber === null ? {} : { projectNumber }),
    ...(lineage === null ? {} : { lineage }),
  }
}

/** The place above, in which a call's path goes on (MONEY.md rule 2); null above the organization. */
export function placeAbove(place: BudgetPlace): BudgetPlace | null {
  if (place.scope === 'organization') return null
  if (place.scope === 'project') return tierPlace(place)
  if (place.scope === 'tier') return ORGANIZATION_PLACE
  return { ...place, scope: 'project', lineage: null, keyId: null }
}

/**
 * Finds the places of many budgets. A lineage goes by the id of its newest live key, of its newest deleted one if none is
 * left, and by itself once all are purged.
 */
export function placeFinder(
  storage: Storage,
): (budget: Pick<Budget, 'scope' | 'projectNumber' | 'lineage'>) => Promise<BudgetPlace> {
  const projects = new Map<string, Promise<Project | null>>()
  const keyIds = new Map<string, Promise<ReadonlyMap<string, string>>>()
  return async ({ scope, projectNumber, lineage }) => {
    if (projectNumber === null) return ORGANIZATION_PLACE
    const project = await once(projects, projectNumber, () => storage.projects.find(projectNumber))
    const projectId = project?.projectId ?? projectNumber
    const tier = project?.tier ?? null
    if (lineage === null) return { scope, projectNumber, projectId, lineage, keyId: null, tier }
    const ids = await once(keyIds, projectNumber, () => keyIdsByLineage(storage, projectNumber))
    return { scope, projectNumber, projectId, lineage, keyId: ids.get(lineage) ?? lineage, tier }
  }
}

function projectPlace({ number: projectNumber, projectId, tier }: Project): BudgetPlace {
  return { scope: 'project', projectNumber, projectId, lineage: null, keyId: null, tier }
}

function keyPlace({ key, project }: { readonly key: Key; readonly project: Project }): BudgetPlace {
  const { number: projectNumber, projectId, tier } = project
  return { scope: 'key', projectNumber, projectId, lineage: key.lineage, keyId: key.keyId, tier }
}

async function keyIdsByLineage(
  storage: Storage,
  projectNumber: string,
): Promise<ReadonlyMap<string, string>> {
  const keys = new Map<string, Key>()
  let cursor: string | null = null
  do {
    const page = await storage.keys.list({ projectNumber, showDeleted: true, limit: KEYS_PER_PAGE, cursor })
    // In order of creation.
    for (const key of page.items) {
      const isLast = key.deleteTimeMs === null || keys.get(key.lineage)?.deleteTimeMs !== null
      if (isLast) keys.set(key.lineage, key)
    }
    cursor = page.nextCursor
  } while (cursor !== null)
  return new Map([...keys].map(([lineage, { keyId }]) => [lineage, keyId]))
}

function once<Value>(
  known: Map<string, Promise<Value>>,
  id: string,
  find: () => Promise<Value>,
): Promise<Value> {
  const found = known.get(id) ?? find()
  known.set(id, found)
  return found
}
