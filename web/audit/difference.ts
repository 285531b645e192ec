/** What an entry of the audit trail changed, leaf by leaf. */
import { formatUsd } from '../../src/domain/money.ts'

export interface Difference {
  /** Where, as one would write it: `restrictions.allowedModels`, `bindings[roles/viewer].members`. */
  readonly path: string
  readonly kind: 'added' | 'removed' | 'changed'
  /** Empty where there was nothing. */
  readonly before: string
  readonly after: string
}

/**
 * The leaves in which two states differ, in the order of their paths. What is absent, undefined and null are one; lists of
 * texts are compared as sets, lists of things by the role, name or id that each has.
 */
export function differences(before: unknown, after: unknown): readonly Difference[] {
  return walk('', before, after)
}

function walk(path: string, before: unknown, after: unknown): readonly Difference[] {
  const [was, is] = [branchOf(before), branchOf(after)]
  const isBranch = (was !== null || isNothing(before)) && (is !== null || isNothing(after))
  if (isBranch && (was !== null || is !== null)) {
    const names = [...new Set([...(was?.keys() ?? []), ...(is?.keys() ?? [])])]
    const isEmpty = (branch: Branch | null): boolean => branch !== null && branch.size === 0
    // An empty list is not the same as none: it allows nothing.
    if (names.length === 0) return leaf(path, isEmpty(was) ? before : null, isEmpty(is) ? after : null)
    return names.flatMap(name => walk(joined(path, name), was?.get(name), is?.get(name)))
  }
  return leaf(path, before, after)
}

function leaf(path: string, before: unknown, after: unknown): readonly Difference[] {
  const [was, is] = [shownValue(path, before), shownValue(path, after)]
  if (was === is) return []
  const kind = was === '' ? 'added' : is === '' ? 'removed' : 'changed'
  return [{ path: path.replace(/\[="[^]*"\]$/, ''), kind, before: was, after: is }]
}

type Branch = ReadonlyMap<string, unknown>

/** What a value is made of, by name; null for a leaf. */
function branchOf(value: unknown): Branch | null {
  if (typeof value !== 'object' || value === null) return null
  if (!Array.isArray(value)) return new Map(Object.entries(value))
  const items: readonly unknown[] = value
  if (items.every(item => typeof item === 'string')) {
    return new Map(items.map(item => [`[=${JSON.stringify(item)}]`, item]))
  }
  const names = items.map(nameOf)
  if (new Set(names).size < names.length || names.includes(null)) return null
  return new Map(items.map((item, index) => [`[${names[index] ?? ''}]`, withoutName(item)]))
}

const NAMING = ['role', 'name', 'id', 'model'] as const

function nameOf(item: unknown): string | null {
  if (typeof item !== 'object' || item === null) return null
  const record = item as Readonly<Record<string, unknown>>
  const naming = NAMING.find(field => typeof record[field] === 'string')
  return naming === undefined ? null : String(record[naming])
}

function withoutName(item: unknown): unknown {
  const record = item as Readonly<Record<string, unknown>>
  const naming = NAMING.find(field => typeof record[field] === 'string')
  return Object.fromEntries(Object.entries(record).filter(([field]) => field !== naming))
}

function joined(path: string, name: string): string {
  return path === '' || name.startsWith('[') ? `${path}${name}` : `${path}.${name}`
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null
}

/** Times and money by the unit that ends their name, everything else as JSON without the quotes around texts. */
function shownValue(path: string, value: unknown): string {
  if (isNothing(value)) return ''
  if (typeof value === 'number' && path.endsWith('TimeMs')) return new Date(value).toISOString()
  if (typeof value === 'string' && path.endsWith('Nanos') && /^-?\d+$/.test(value)) {
    return `$${formatUsd(BigInt(value))}`
  }
  if (value === '') return '""'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
