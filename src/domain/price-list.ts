/** Which price is in force for a model at a time: dated rows, our own before those of another source. */
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

/** `[fromMs, untilMs)`, and what holds in it. */
interface Segment {
  readonly fromMs: number
  readonly untilMs: number
  readonly price: Price | null
}

interface Entry {
  readonly segments: readonly Segment[]
  /** The segment found last: nearly every look-up is in it. */
  current: Segment
}

/**
 * The price list. Ids match exactly, case included: a prefix would give `gemini-3.8-flash-tts` the price of
 * `gemini-3.8-flash` (gemini-wire 6.6).
 */
export class PriceList {
  readonly #entries = new Map<string, Entry>()

  /**
   * `fallback` is used for ids that `own` has no row for. Throws FIELD_INVALID for dates that cannot be read, for two rows
   * of a model with the same or no date, and for dates whose order is unclear (one with a zone within a day of one without).
   */
  constructor(own: readonly PriceRow[], fallback: readonly PriceRow[] = []) {
    this.#add(own)
    const owned = new Set(this.#entries.keys())
    this.#add(fallback, owned)
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
    for (const segment of entry.segments) {
      if (atMs < segment.fromMs || atMs >= segment.untilMs) continue
      entry.current = segment
      return segment.price
    }
    return null
  }

  /** Every model id that has a price at some time. */
  models(): string[] {
    return [...this.#entries.keys()]
  }

  #add(rows: readonly PriceRow[], owned: ReadonlySet<string> = new Set()): void {
    const changes = new Map<string, Change[]>()
    for (const row of rows) {
      for (const model of [row.model, ...(row.aliases ?? [])]) {
        if (owned.has(model)) continue
        const list = changes.get(model) ?? []
        list.push(changeOf({ ...row, model }))
        changes.set(model, list)
      }
    }
    for (const [model, list] of changes) {
      const segments = segmentsOf(list)
      const [first] = segments
      if (first !== undefined) this.#entries.set(model, { segments, current: first })
    }
  }
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
function segmentsOf(unsorted: readonly Change[]): Segment[] {
  const changes = [...unsorted].sort((a, b) => (a.earliestMs < b.earliestMs ? -1 : 1))
  for (const [index, change] of changes.entries()) assertInOrder(changes[index - 1], change)
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
    const endMs = changes[index + 1]?.latestMs ?? Infinity
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
