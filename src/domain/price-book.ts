/** The price list that is in force here: what ships, over it the operator's file, over that what was set since. */
import { ApiError, invalidField } from './error.ts'
import { isModelId } from './model.ts'
import { type PriceRow, type Price, parsePrice } from './price.ts'
import { PriceList, type PricePeriod } from './price-list.ts'

/** What a price says, without the model it is for and the date it is from. */
export type PriceFields = Omit<PriceRow, 'model' | 'aliases' | 'effectiveFrom' | 'origin'>

/** A price that the operator set for a model, from a moment on until the model's next one. */
export interface PriceOverride {
  readonly uid: string
  /** Exact model id, without `models/`. */
  readonly model: string
  readonly effectiveTimeMs: number
  readonly fields: PriceFields
  readonly createTimeMs: number
}

/** As many as are kept in memory on every node, and sent to each of them with every change. */
export const PRICE_OVERRIDES_MAX = 1_000

interface Sources {
  /** Our own list. */
  readonly own: readonly PriceRow[]
  /** For models it lacks. */
  readonly fallback: readonly PriceRow[]
  /** The operator's file. */
  readonly file: readonly PriceRow[]
}

/** Looking a price up costs what it costs in a `PriceList`: a change makes a new one and swaps it in. */
export class PriceBook {
  readonly #sources: Sources
  #overrides: readonly PriceOverride[] = []
  #list: PriceList
  /** Without what was set over the API. */
  readonly #listed: PriceList

  /** Throws FIELD_INVALID where a list contradicts itself (`PriceList`). */
  constructor(sources: Sources) {
    this.#sources = sources
    this.#listed = this.#listWith([])
    this.#list = this.#listed
  }

  /** The price of a model (exact id, without `models/`) in force at `atMs`; null: unpriced. */
  find(modelId: string, atMs: number): Price | null {
    return this.#list.find(modelId, atMs)
  }

  periodOf(modelId: string, atMs: number): PricePeriod | null {
    return this.#list.periodOf(modelId, atMs)
  }

  /** Every model id that has a price at some time. */
  models(): string[] {
    return this.#list.models()
  }

  /** Replaces everything that was set over the API. Calls that are admitted already keep their price (rule 18). */
  override(overrides: readonly PriceOverride[]): void {
    this.#list = this.#listWith(overrides.map(rowOf))
    this.#overrides = overrides
  }

  /**
   * The prices that the lists have for the model of an override after it has begun, and that it holds over, until the
   * model's next override: none of its lines follows them.
   */
  heldOver({ model, effectiveTimeMs }: Pick<PriceOverride, 'model' | 'effectiveTimeMs'>): PricePeriod[] {
    const next = this.#overrides
      .filter(other => other.model === model && other.effectiveTimeMs > effectiveTimeMs)
      .map(other => other.effectiveTimeMs)
    return this.#listed.changesOf(model, { afterMs: effectiveTimeMs, untilMs: Math.min(Infinity, ...next) })
  }

  #listWith(overrides: readonly PriceRow[]): PriceList {
    const { own, fallback, file } = this.#sources
    return new PriceList(own, fallback, [file, overrides])
  }
}

function rowOf({ model, effectiveTimeMs, fields }: PriceOverride): PriceRow {
  return { ...fields, model, effectiveFrom: new Date(effectiveTimeMs).toISOString(), origin: 'operator' }
}

/** Throws FIELD_INVALID unless the override can be laid over a list, and prices something. */
export function assertPriceOverride(override: PriceOverride): void {
  const { model, effectiveTimeMs, fields } = override
  if (!isModelId(model)) throw invalidField('model', 'use the exact id of a model, without models/')
  if (!Number.isSafeInteger(effectiveTimeMs) || effectiveTimeMs < 0 || effectiveTimeMs >= TIME_MS_MAX)
    throw invalidField('effectiveTime', 'use a time from 1970 on and before the year 3000')
  if (fields.input === undefined && fields.output === undefined && fields.perUnit === undefined)
    throw invalidField('price', 'give at least one of input, output and perUnit')
  parsePrice(rowOf(override), effectiveTimeMs)
}

const TIME_MS_MAX = Date.UTC(3000)

/** FIELD_INVALID and ALREADY_EXISTS as the API answers them. */
export function priceTaken({ model, effectiveTimeMs }: PriceOverride): ApiError {
  return new ApiError(
    'ALREADY_EXISTS',
    `There is a price of ${model} from ${new Date(effectiveTimeMs).toISOString()} on already. ` +
      'A model has one price at a time: delete that one first, or choose another time.',
  )
}
