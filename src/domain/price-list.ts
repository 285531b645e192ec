/** Which price is in force for a model at a time: dated rows, our own before another source's, the operator's before all. */
import { invalidField } from './error.ts'
import { type Price, type PriceRow, dearerPrice, parsePrice } from './price.ts'

const HOUR_MS = 3_600_000
// The calendar day starts first at UTC+14 (Line Islands) and last at UTC-12 (Baker Island).
const EARLIEST_ZONE_MS = 14 * HOUR_MS
const LATEST_ZONE_MS = 12 * HOUR_MS

const DATE = /^\d{4}-\d{2}-\d{2}$/
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?(?:Z|[+-]\d{2}:\d{2})$/

/** When a change takes place: between `earliestMs` and `latestMs`, which differ where no zone is named. */
interface Change {
  readonly row: PriceRow
  readonly earliestMs: number
  readonly latestMs: number
}

/** `[fromMs, untilMs)`, which may have no beginning or end (infinite), and what holds in it. */
export interface PricePeriod {
  readonly fromMs: number
  readonly untilMs: number
  readonly price: Price | null
}

interface Entry {
  readonly segments: readonly PricePeriod[]
  /** The segment found last: nearly every look-up is in it. */
  current: PricePeriod
}

/**
 * The price list. Ids match exactly, case included: a prefix would give `gemini-3.8-flash-tts` the price of
 * `gemini-3.8-flash` (gemini-wire 6.6).
 */
export class PriceList {
  readonly #entries = new Map<string, Entry>()

  /**
   * `fallback` is used for ids that `own` has no row for. Each of `overrides` is laid over what is before it: from the
   * first date it has for a model, only its rows count. Throws FIELD_INVALID for dates that cannot be read, for two rows of
   * a model in one list with the same or no date, and for dates there whose order is unclear (one with a zone within a day
   * of one without).
   */
  constructor(
    own: readonly PriceRow[],
    fallback: readonly PriceRow[] = [],
    overrides: readonly (readonly PriceRow[])[] = [],
  ) {
    const changes = changesByModel(own)
    for (const [model, list] of changesByModel(fallback)) {
      if (!changes.has(model)) changes.set(model, list)
    }
    for (const [model, list] of overrides.flatMap(rows => [...changesByModel(rows)])) {
      changes.set(model, laidOver(changes.get(model) ?? [], list))
    }
    for (const [model, list] of changes) {
      const segments = segmentsOf(list)
      const [first] = segments
      if (first !== undefined) this.#entries.set(model, { segments, current: first })
    }
  }

  /**
   * The price of a model (exact id, without `models/`) in force at `atMs`; null: unpriced. In the hours in which a dated
   * change has begun in some time zones only, the dearer of both holds, line by line: so a rise counts from the earliest
   * zone on earth, a cut from the latest (MONEY.md rule 18).
   */
  find(modelId: string, atMs: number): Price | null {
    const entry = this.#entries.get(modelId)
    if (entry === undefined) return null
    const { current } = entry
    if (atMs >= current.fromMs && atMs < current.untilMs) return current.price
    const period = periodIn(entry, atMs)
    if (period === null) return null
    entry.current = period
    return period.price
  }

  /** The same with its dates; null for a model of which nothing was known then. */
  periodOf(modelId: string, atMs: number): PricePeriod | null {
    const entry = this.#entries.get(modelId)
    return entry === undefined ? null : periodIn(entry, atMs)
  }

  /** The periods that begin between both times and in which the model costs other than before, in order. */
  changesOf(modelId: string, between: { readonly afterMs: number; readonly untilMs: number }): PricePeriod[] {
    const segments = this.#entries.get(modelId)?.segments ?? []
    return segments.filter((period, index) => {
      const isBetween = period.fromMs > between.afterMs && period.fromMs < between.untilMs
      return isBetween && !isSameCost(segments[index - 1]?.price ?? null, period.price)
    })
  }

  /** Every model id that has a price at some time. */
  models(): string[] {
    return [...this.#entries.keys()]
  }
}

function isSameCost(one: Price | null, other: Price | null): boolean {
  const costs = [one, other].map(price =>
    JSON.stringify([price?.isByToken, price?.units, price?.tiers, price?.tools]),
  )
  return costs[0] === costs[1]
}

function periodIn({ segments }: Entry, atMs: number): PricePeriod | null {
  return segments.find(({ fromMs, untilMs }) => atMs >= fromMs && atMs < untilMs) ?? null
}

/** The changes of each model in order. */
function changesByModel(rows: readonly PriceRow[]): Map<string, readonly Change[]> {
  const found = new Map<string, Change[]>()
  for (const row of rows) {
    for (const model of [row.model, ...(row.aliases ?? [])]) {
      const list = found.get(model) ?? []
      list.push(changeOf({ ...row, model }))
      found.set(model, list)
    }
  }
  for (const list of found.values()) {
    list.sort((a, b) => (a.earliestMs < b.earliestMs ? -1 : 1))
    for (const [index, change] of list.entries()) assertInOrder(list[index - 1], change)
  }
  return found
}

/** What holds before the first change above, then what is above. */
function laidOver(below: readonly Change[], above: readonly Change[]): readonly Change[] {
  const firstMs = above[0]?.earliestMs ?? Infinity
  return [...below.filter(({ earliestMs }) => earliestMs < firstMs), ...above]
}

function changeOf(row: PriceRow): Change {
  const { model, effectiveFrom } = row
  if (effectiveFrom === null) return { row, earliestMs: -Infinity, latestMs: -Infinity }
  const atMs = Date.parse(effectiveFrom)
  const isDate = DATE.test(effectiveFrom)
  // A day that does not exist is moved into the next month by Date.parse.
  const isReal = isDate ? new Date(atMs || 0).toISOString().startsWith(effectiveFrom) : !Number.isNaN(atMs)
  if (!isReal || !(isDate || TIME.test(effectiveFrom))) {
    throw invalidField(
      `prices.${model}.effectiveFrom`,
      `'${effectiveFrom}' is neither a date (2027-01-01) nor a time with its zone (2027-01-01T00:00:00Z)`,
    )
  }
  if (!isDate) return { row, earliestMs: atMs, latestMs: atMs }
  return { row, earliestMs: atMs - EARLIEST_ZONE_MS, latestMs: atMs + LATEST_ZONE_MS }
}

/** The life of one model's price, cut wherever a row may begin or must have ended. */
function segmentsOf(changes: readonly Change[]): PricePeriod[] {
  const cuts = [...new Set(changes.flatMap(change => [change.earliestMs, change.latestMs]))].sort((a, b) =>
    a < b ? -1 : 1,
  )
  return cuts.map((fromMs, index) => ({
    fromMs,
    untilMs: cuts[index + 1] ?? Infinity,
    price: priceFrom(fromMs, changes),
  }))
}

function priceFrom(fromMs: number, changes: readonly Change[]): Price | null {
  // Before its first row has begun everywhere, a model has no price that is sure to hold.
  if ((changes[0]?.latestMs ?? Infinity) > fromMs) return null
  const possible = changes.filter(({ earliestMs }, index) => {
    // Laid over others, a row may begin for sure while the one before it still may not have.
    const endMs = Math.min(Infinity, ...changes.slice(index + 1).map(({ latestMs }) => latestMs))
    return earliestMs <= fromMs && fromMs < endMs
  })
  const effectiveFromMs = fromMs === -Infinity ? null : fromMs
  return possible
    .map(({ row }) => parsePrice(row, effectiveFromMs))
    .reduce((dearest, price) => dearerPrice(dearest, price))
}

function assertInOrder(earlier: Change | undefined, later: Change): void {
  if (earlier === undefined) return
  const hasZone = (change: Change): boolean => change.earliestMs === change.latestMs
  const isSame = earlier.earliestMs === later.earliestMs && earlier.latestMs === later.latestMs
  const isUnclear = later.earliestMs <= earlier.latestMs && (hasZone(earlier) || hasZone(later))
  if (!isSame && !isUnclear) return
  const [one, other] = [earlier.row.effectiveFrom, later.row.effectiveFrom]
  throw invalidField(
    `prices.${later.row.model}.effectiveFrom`,
    `two rows overlap: ${one ?? 'no date'} and ${other ?? 'no date'}; a model has one price at a time`,
  )
}
