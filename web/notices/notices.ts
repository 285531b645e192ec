/** What deserves a look: what it is, why, and where it is mended. Made of what the screens read as well. */
import { DEGRADED_MODES, type DegradedModeName } from '../../src/domain/degraded-mode.ts'
import { idOf } from '../keys/rows.ts'
import { PATHS, pricesPath } from '../paths.ts'
import type { BudgetJson, KeyJson, ProjectJson, UsageReport } from '../queries.ts'
import { type NamedBudget, budgetNotices } from './budget-notices.ts'
import { type NamedKey, keyNotices } from './key-notices.ts'
import { type Kind, type Notice, noticesOfKind } from './kind.ts'

export interface NoticeFacts {
  readonly degradedModes: readonly DegradedModeName[]
  /** Models that have a price by now. */
  readonly models: readonly string[]
  readonly budgets: readonly BudgetJson[]
  readonly projects: readonly ProjectJson[]
  readonly keys: readonly KeyJson[]
  /** Of the last days, by model. */
  readonly usage: UsageReport['rows']
}

/** What is wrong first, then what is worth a look. */
export function noticesOf(facts: NoticeFacts, nowMs: number): readonly Notice[] {
  const keys = liveKeys(facts)
  const all = [
    ...facts.degradedModes.map(modeNotice),
    ...budgetNotices(liveBudgets(facts, keys)),
    ...noticesOfKind(unpricedKind(new Set(facts.models)), facts.usage),
    ...keyNotices(keys, nowMs),
  ]
  return [...all.filter(({ look }) => look === 'wrong'), ...all.filter(({ look }) => look === 'look')]
}

function modeNotice(mode: DegradedModeName): Notice {
  const { calls, when, happens } = DEGRADED_MODES[mode]
  return {
    id: `mode ${mode}`,
    size: 1,
    look: calls === 'served' ? 'look' : 'wrong',
    title: calls === 'served' ? 'Something is away; calls are served' : `Calls are ${calls}`,
    why: `${when}. Until that ends: ${happens}.`,
    to: PATHS.serverSettings,
    action: 'How the server is',
  }
}

/** Keys that calls are let in with, of projects that are there. */
function liveKeys({ projects, keys }: NoticeFacts): readonly NamedKey[] {
  const ids = new Map(activeProjects(projects).map(({ name, projectId }) => [idOf(name), projectId]))
  return keys.flatMap(key => {
    const project = ids.get(key.name.split('/')[1] ?? '')
    if (project === undefined || key.state !== 'ACTIVE') return []
    const keyId = idOf(key.name)
    return { key, name: key.displayName ?? keyId, project, keyId }
  })
}

/** Budgets of what can still be spent on: of a key that is disabled or gone nobody needs to hear. */
function liveBudgets({ budgets, projects }: NoticeFacts, keys: readonly NamedKey[]): readonly NamedBudget[] {
  const names = new Map([
    ['', 'Organization'],
    ...activeProjects(projects).map(
      ({ projectId, displayName }) => [projectId, displayName ?? projectId] as const,
    ),
    ...keys.map(({ project, keyId, name }) => [`${project} ${keyId}`, name] as const),
  ])
  return budgets.flatMap(budget => {
    const { project = '', key } = budget
    const of = names.get(key === undefined ? project : `${project} ${key}`)
    return of === undefined ? [] : { of, budget }
  })
}

function activeProjects(projects: readonly ProjectJson[]): readonly ProjectJson[] {
  return projects.filter(({ state }) => state === 'ACTIVE')
}

function unpricedKind(priced: ReadonlySet<string>): Kind<UsageReport['rows'][number]> {
  return {
    id: 'unpriced',
    look: 'look',
    is: ({ model = '', unpriced }) => unpriced > 0 && model !== '' && !priced.has(model),
    idOf: ({ model = '' }) => model,
    one: ({ model = '', unpriced }) => ({
      title: `${model} has no price`,
      why: `What ${unpriced === 1 ? 'a call' : `${unpriced} calls`} of the last week cost is counted nowhere.`,
      to: pricesPath(model),
      action: 'Set its price',
    }),
    many: count => ({
      title: `${count} models without a price were called`,
      why: 'What their calls of the last week cost is counted nowhere.',
      to: pricesPath(),
      action: 'Set their prices',
    }),
  }
}
