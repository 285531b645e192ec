/** The list of keys as data: what a row says, which rows are asked for, in which order. */
import type { BudgetJson, KeyJson, ProjectJson, UsageReport } from '../queries.ts'
import { chipsOf } from './chips.ts'
import { hasRisk, isRisk } from './risks.ts'

export const STATUSES = ['active', 'unrestricted', 'over-cap', 'disabled', 'expired', 'deleted'] as const
export type KeyStatus = (typeof STATUSES)[number]

export const STATUS_TEXT: Readonly<Record<KeyStatus, string>> = {
  active: 'Active',
  unrestricted: 'Unrestricted',
  'over-cap': 'Over its cap',
  disabled: 'Disabled',
  expired: 'Expired',
  deleted: 'Deleted',
}

export interface KeyRow {
  readonly key: KeyJson
  readonly projectId: string
  readonly keyId: string
  readonly name: string
  /** What a search looks through, in small letters. */
  readonly searchText: string
  readonly status: KeyStatus
  /** Whether its project keeps keys, so that this one may be shown again. */
  readonly isRecoverable: boolean
  readonly chips: readonly string[]
  /** This month's cost, nano-dollars. */
  readonly spentNanos: bigint
  /** The budget of the key's own that is fullest. */
  readonly budget: BudgetJson | null
  /** A budget of its own, of its project or of the organization ends what it spends. */
  readonly isCapped: boolean
}

export interface KeyGroup {
  readonly project: ProjectJson
  readonly rows: readonly KeyRow[]
}

export interface Filter {
  /** Part of a name, an id or a masked key. */
  readonly q: string
  readonly status: string
  readonly environment: string
  readonly project: string
  /** One of RISKS (risks.ts). */
  readonly risk: string
  readonly sort: string
}

export const SORTS = [
  ['created', 'Newest first'],
  ['name', 'Name'],
  ['used', 'Last used'],
  ['spent', 'Spend this month'],
] as const

export interface KeyFacts {
  readonly projects: readonly ProjectJson[]
  readonly keys: readonly KeyJson[]
  readonly budgets: readonly BudgetJson[]
  /** Of this month, by key. */
  readonly usage: readonly UsageReport[]
}

/** The last segment of a resource name. */
export function idOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}

/** Every key as a row, under its project. Keys of deleted projects are left out: they come back with the project. */
export function groupKeys(facts: KeyFacts): readonly KeyGroup[] {
  const budgets = Map.groupBy(
    facts.budgets.filter(({ scope }) => scope === 'key'),
    ({ project, key }) => `${project}/${key}`,
  )
  const isAllCapped = facts.budgets.some(({ scope }) => scope === 'organization')
  const capped = new Set(
    facts.budgets.flatMap(({ scope, project = '' }) => (scope === 'project' ? [project] : [])),
  )
  const spent = new Map<string, bigint>()
  for (const { keyUid, costNanos } of facts.usage.flatMap(({ rows }) => rows)) {
    if (keyUid !== undefined) spent.set(keyUid, (spent.get(keyUid) ?? 0n) + BigInt(costNanos))
  }
  const keysByProject = Map.groupBy(facts.keys, ({ name }) => name.split('/')[1] ?? '')
  return facts.projects
    .filter(({ state }) => state === 'ACTIVE')
    .map(project => ({
      project,
      rows: (keysByProject.get(idOf(project.name)) ?? []).map(key => {
        const own = budgets.get(`${project.projectId}/${idOf(key.name)}`) ?? []
        const isCapped = own.length > 0 || isAllCapped || capped.has(project.projectId)
        return rowOf(key, project, { own, spentNanos: spent.get(key.uid) ?? 0n, isCapped })
      }),
    }))
}

function rowOf(
  key: KeyJson,
  { projectId, recoverableKeys = false }: ProjectJson,
  { own, ...facts }: Pick<KeyRow, 'spentNanos' | 'isCapped'> & { readonly own: readonly BudgetJson[] },
): KeyRow {
  const keyId = idOf(key.name)
  const chips = chipsOf(key)
  return {
    key,
    projectId,
    keyId,
    name: key.displayName ?? keyId,
    searchText: searchText(key),
    status: statusOf(key, own, chips.length > 0),
    isRecoverable: recoverableKeys,
    chips,
    ...facts,
    budget: own.toSorted((one, other) => shareOf(other) - shareOf(one))[0] ?? null,
  }
}

/** The one thing about a key to know first. */
export function statusOf(key: KeyJson, budgets: readonly BudgetJson[], isRestricted: boolean): KeyStatus {
  if (key.state === 'DELETED') return 'deleted'
  if (key.state === 'DISABLED') return 'disabled'
  if (key.state === 'EXPIRED') return 'expired'
  if (budgets.some(({ state }) => state !== 'ACTIVE')) return 'over-cap'
  return isRestricted ? 'active' : 'unrestricted'
}

/** The groups with the rows that are asked for. A project without any is left out, unless nothing was asked for. */
export function filterGroups(groups: readonly KeyGroup[], filter: Filter): readonly KeyGroup[] {
  const q = filter.q.trim().toLowerCase()
  const { risk } = filter
  const nowMs = Date.now()
  const isNarrow = q !== '' || filter.status !== '' || filter.environment !== '' || risk !== ''
  return groups
    .filter(({ project }) => filter.project === '' || project.projectId === filter.project)
    .map(({ project, rows }) => ({
      project,
      rows: rows
        .filter(
          row =>
            (filter.status === '' ? row.status !== 'deleted' : row.status === filter.status) &&
            (filter.environment === '' || row.key.environment === filter.environment) &&
            (!isRisk(risk) || hasRisk(row, risk, nowMs)) &&
            (q === '' || row.searchText.includes(q)),
        )
        .sort(ORDERS[filter.sort] ?? byCreation),
    }))
    .filter(({ rows }) => rows.length > 0 || !isNarrow)
}

export function searchText({ displayName = '', name, maskedKeyString, uid }: KeyJson): string {
  return `${displayName} ${idOf(name)} ${maskedKeyString} ${uid}`.toLowerCase()
}

// Ten thousand names are compared in a tenth of the time that localeCompare takes.
const names = new Intl.Collator('en', { numeric: true })

/** Times of one form are in order as texts; later ones first. */
function later(one: string, other: string): number {
  return one === other ? 0 : one < other ? 1 : -1
}

const byCreation = (one: KeyRow, other: KeyRow): number => later(one.key.createTime, other.key.createTime)

const ORDERS: Readonly<Record<string, (one: KeyRow, other: KeyRow) => number>> = {
  created: byCreation,
  name: (one, other) => names.compare(one.name, other.name),
  used: (one, other) => later(one.key.lastUsedTime ?? '', other.key.lastUsedTime ?? ''),
  spent: (one, other) => Number(other.spentNanos - one.spentNanos),
}

function shareOf({ posted, cap }: BudgetJson): number {
  return cap === '0' ? Infinity : Number(posted) / Number(cap)
}
