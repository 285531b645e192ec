/** What of a price that was set does not follow the list when that changes later, and how to make it follow. */
import type { ResponseOf } from '../contract/endpoint.ts'
import type { PRICES_V1 } from '../contract/prices.v1.ts'
import { type PriceFields, type PriceFlags, RATE_FLAGS, type RateFlag, flagOf } from './price-flags.ts'

type OverrideJson = ResponseOf<typeof PRICES_V1.createPriceOverride>
type Rates = PriceFields['input']

/**
 * A line for each later price of the list that the override holds over, if it changes what no flag named: what an operator
 * did not set would else stay as it was when they set the rest.
 */
export function followUps(listed: PriceFields, named: PriceFlags, override: OverrideJson): readonly string[] {
  let before = listed
  return (override.laterPrices ?? []).flatMap(({ startTime, fields }) => {
    const flags = changedFlags(before, fields, named)
    before = fields
    if (flags.length === 0) return []
    return [
      `From ${startTime} on the list has another price of ${override.model}, and this one holds over it. ` +
        'To have what you did not set follow it: ' +
        `pollux prices set ${override.model} --from ${startTime} ${flags.join(' ')}`,
    ]
  })
}

function changedFlags(before: PriceFields, after: PriceFields, named: PriceFlags): readonly string[] {
  const rates = RATE_FLAGS.flatMap(([name]) => rateFlags(name, before[name], after[name], named[name]))
  const numbers = NUMBER_FLAGS.flatMap(([flag, field]) => {
    const value = after[field]
    return named[flag] !== undefined || value === undefined || value === before[field]
      ? []
      : [`--${flagOf(flag)} ${value}`]
  })
  const tools = Object.entries(after.tools ?? {}).flatMap(([tool, { usdPer1000 }]) =>
    named.tool?.[tool] !== undefined ||
    usdPer1000 === undefined ||
    usdPer1000 === before.tools?.[tool]?.usdPer1000
      ? []
      : [`--tool ${tool}=${usdPer1000}`],
  )
  const pieces = Object.entries(after.perUnitKind === 'billed' ? (after.perUnit ?? {}) : {}).flatMap(
    ([unit, usd]) =>
      named.unit?.[unit] !== undefined || usd === before.perUnit?.[unit] ? [] : [`--unit ${unit}=${usd}`],
  )
  return [...rates, ...numbers, ...tools, ...pieces]
}

const NUMBER_FLAGS = [
  ['cacheStorage', 'cacheStoragePerMTokenHour'],
  ['batchFactor', 'batchFactor'],
  ['flexFactor', 'flexFactor'],
  ['priorityFactor', 'priorityFactor'],
] as const

/** Modality by modality: a flag may have named some of them. */
function rateFlags(
  name: string,
  before: Rates,
  after: Rates,
  named: RateFlag | undefined,
): readonly string[] {
  if (typeof named === 'number') return []
  const changed = Object.entries(after ?? {}).filter(
    ([modality, usd]) =>
      usd !== (before as Readonly<Record<string, number>> | undefined)?.[modality] &&
      named?.[modality] === undefined,
  )
  if (changed.length === 0) return []
  return [`--${flagOf(name)} ${changed.map(([modality, usd]) => `${modality}=${usd}`).join(',')}`]
}
