/** Prices as people read and write them: dollars for a million tokens. */
import type { OverrideJson, PriceJson } from './queries.ts'

export type PriceFields = PriceJson['fields']
type Rates = PriceFields['input']

/** `$0.75`: of text, or of the first modality that has a price; empty without any. */
export function plainRate(rates: Rates): string {
  const usd = rates?.text ?? namedRates(rates)[0]?.[1]
  return usd === undefined ? '' : shownRate(usd)
}

/** What differs from it: `audio $1.00`. */
export function otherRates(rates: Rates): readonly string[] {
  const plain = plainRate(rates)
  return namedRates(rates)
    .map(([modality, usd]) => [modality, shownRate(usd)] as const)
    .filter(([, usd]) => usd !== plain)
    .map(entry => entry.join(' '))
}

/** Every decimal there is, two at least: a column of prices is compared by its digits. */
function shownRate(usd: number): string {
  return `$${(usd.toString().split('.')[1] ?? '').length < 2 ? usd.toFixed(2) : usd}`
}

function namedRates(rates: Rates): readonly (readonly [string, number])[] {
  return Object.entries(rates ?? {}).filter((entry): entry is [string, number] => entry[1] !== undefined)
}

/** A decimal of at most twelve places; null: none. */
export function dollarsOf(text: string): number | null {
  return /^\d{1,9}(?:\.\d{1,12})?$/.test(text.trim()) ? Number(text) : null
}

export interface RateDraft {
  readonly input: string
  readonly cached: string
  readonly output: string
}

/**
 * The price with other rates: one number is for every modality that has a price, or for text where none has, and what is
 * empty stays. Whoever says what tokens cost says that tokens are billed.
 */
export function priceWith(before: PriceFields, draft: RateDraft, note: string): PriceFields {
  const { source: _, perUnit, perUnitKind, ...kept } = before
  const rates = (['input', 'cached', 'output'] as const).flatMap(line => {
    const usd = dollarsOf(draft[line])
    return usd === null ? [] : [[line, ratesWith(before[line], usd)] as const]
  })
  const isByToken = rates.length > 0 && perUnitKind !== 'equivalent'
  return {
    ...kept,
    ...(perUnit === undefined || isByToken ? {} : { perUnit }),
    ...(perUnitKind === undefined || isByToken ? {} : { perUnitKind }),
    ...Object.fromEntries(rates),
    ...(note.trim() === '' ? {} : { note: note.trim() }),
  }
}

/**
 * From when on the lists have another price than the one that is in force at `at` (empty: now), which one set then holds
 * over; null: they have none before the model's next override.
 */
export function listedOtherwise(
  { model, startTime, endTime }: PriceJson,
  overrides: readonly OverrideJson[],
  at: string,
): string | null {
  const own = overrides.filter(override => override.model === model)
  if (endTime !== undefined)
    return own.some(({ effectiveTime }) => effectiveTime === endTime) ? null : endTime
  const later = own.find(({ effectiveTime }) => effectiveTime === startTime)?.laterPrices ?? []
  const sinceMs = at === '' ? Date.now() : Date.parse(at)
  return later.find(({ startTime }) => Date.parse(startTime) > sinceMs)?.startTime ?? null
}

function ratesWith(before: Rates, usd: number): Rates {
  const known = Object.keys(before ?? {})
  return Object.fromEntries((known.length === 0 ? ['text'] : known).map(modality => [modality, usd]))
}
