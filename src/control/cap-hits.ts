/** Which budgets refused calls. */
import type { LEDGER_V1 } from '../contract/budgets.v1.ts'
import type { ResponseOf } from '../contract/endpoint.ts'
import type { PeriodCapHits } from '../domain/cap-hit.ts'
import { invalidField } from '../domain/error.ts'
import { mayDo } from '../domain/permission.ts'
import type { Storage } from '../storage/storage.ts'
import { budgetName, budgetsAt, placeFinder, requirePlace } from './budget-places.ts'
import type { CallFacts } from './call.ts'
import { timeJson } from './resource-names.ts'

type CapHitJson = ResponseOf<typeof LEDGER_V1.searchCapHits>['capHits'][number]

const HITS_MAX = 200

/** Those of the budgets that hang there or below, as far as the caller may list them. RESOURCE_NOT_FOUND. */
export async function capHits(
  storage: Storage,
  call: CallFacts,
  { project, key }: { readonly project?: string | undefined; readonly key?: string | undefined },
): Promise<CapHitJson[]> {
  if (key !== undefined && project === undefined) throw invalidField('project', 'a key needs its project')
  const parent =
    project === undefined ? { organization: '1' } : key === undefined ? { project } : { project, key }
  const { scope: _, ...below } = budgetsAt(await requirePlace(storage, parent, call))
  const { principal } = call
  const found = await storage.capHits.list({ ...below, limit: HITS_MAX })
  const seen = found.filter(({ budget }) => mayDo(principal, 'pollux.budgets.list', budget.projectNumber))
  const placeOf = placeFinder(storage)
  const keyOf = keyFinder(storage)
  return await Promise.all(
    seen.map(async hit => {
      const place = await placeOf(hit.budget)
      const { scope, period } = hit.budget
      return {
        budget: budgetName(place, period),
        scope,
        ...(place.projectId === null ? {} : { project: place.projectId }),
        ...(place.keyId === null ? {} : { key: place.keyId }),
        ...(scope !== 'tier' || place.tier === null ? {} : { tier: `tiers/${place.tier}` }),
        period,
        periodStartTime: timeJson(hit.periodStartMs),
        reason: hit.reason,
        calls: hit.calls,
        firstTime: timeJson(hit.firstTimeMs),
        lastTime: timeJson(hit.lastTimeMs),
        ...(await keyOf(hit)),
        lastCallId: hit.lastCallId,
      }
    }),
  )
}

/** The key that was refused last, as long as it is there. */
function keyFinder(
  storage: Storage,
): (hit: PeriodCapHits) => Promise<Pick<CapHitJson, 'lastProject' | 'lastKey'>> {
  const known = new Map<string, Promise<Pick<CapHitJson, 'lastProject' | 'lastKey'>>>()
  const find = async ({ lastProjectNumber, lastKeyUid }: PeriodCapHits) => {
    const [project, key] = await Promise.all([
      storage.projects.find(lastProjectNumber),
      storage.keys.find(lastProjectNumber, lastKeyUid),
    ])
    return project === null || key === null ? {} : { lastProject: project.projectId, lastKey: key.keyId }
  }
  return hit => {
    const found = known.get(hit.lastKeyUid) ?? find(hit)
    known.set(hit.lastKeyUid, found)
    return found
  }
}
