/** Prices, and what the operator set over them. */
import { randomUUID } from 'node:crypto'
import type { ResponseOf } from '../contract/endpoint.ts'
import type { PRICES_V1 } from '../contract/prices.v1.ts'
import { ApiError } from '../domain/error.ts'
import {
  type PriceBook,
  type PriceFields,
  type PriceOverride,
  assertPriceOverride,
} from '../domain/price-book.ts'
import type { PricePeriod } from '../domain/price-list.ts'
import { type Lines, type Price, PRICED_TIERS, type PriceRow, type Rates } from '../domain/price.ts'
import { shownName } from '../domain/redaction.ts'
import type { Storage } from '../storage/storage.ts'
import { auditEntry } from './audit.ts'
import type { Handlers } from './call.ts'
import { timeJson } from './resource-names.ts'

/** The prices that calls are charged at. */
export type Prices = Pick<PriceBook, 'models' | 'periodOf' | 'heldOver'>

interface PricesContext {
  readonly storage: Storage
  readonly prices: Prices
  readonly now: () => number
}

export function priceHandlers({ storage, prices, now }: PricesContext): Handlers<typeof PRICES_V1> {
  const overrideJson = (override: PriceOverride): OverrideJson => {
    const later = prices.heldOver(override).flatMap(({ fromMs, price }) => {
      return price === null ? [] : [{ startTime: timeJson(fromMs), fields: fieldsOf(price.row) }]
    })
    return { ...setJson(override), ...(later.length === 0 ? {} : { laterPrices: later }) }
  }
  return {
    async listPrices({ query }) {
      const atMs = query.at === undefined ? now() : Date.parse(query.at)
      const found = prices
        .models()
        .sort()
        .flatMap(model => {
          const period = prices.periodOf(model, atMs)
          const price = period?.price ?? null
          return period === null || price === null ? [] : [priceJson(period, price)]
        })
      return { atTime: timeJson(atMs), prices: found }
    },
    async getPrice({ params: { model }, query }) {
      const atMs = query.at === undefined ? now() : Date.parse(query.at)
      const period = prices.periodOf(model, atMs)
      const price = period?.price ?? null
      if (period === null || price === null) {
        throw new ApiError(
          'RESOURCE_NOT_FOUND',
          `No price of the model '${shownName(model)}' is known at ${timeJson(atMs)}. ` +
            'Ids match exactly: list the prices to see which there are, or set one.',
        )
      }
      return { ...priceJson(period, price), tiers: tiersJson(price) }
    },
    async listPriceOverrides() {
      return { priceOverrides: (await storage.prices.list()).map(overrideJson) }
    },
    async createPriceOverride(call) {
      const { model, effectiveTime, price } = call.body
      const effectiveTimeMs = effectiveTime === undefined ? now() : Date.parse(effectiveTime)
      const override = { uid: randomUUID(), model, effectiveTimeMs, fields: price }
      assertPriceOverride({ ...override, createTimeMs: now() })
      const resourceName = `priceOverrides/${override.uid}`
      const after = { model, effectiveTime: timeJson(effectiveTimeMs), price }
      const audit = auditEntry(call, { resourceName, projectNumber: null, before: null, after })
      return overrideJson(await storage.prices.create(override, audit))
    },
    async deletePriceOverride(call) {
      const { priceOverride: uid } = call.params
      const found = (await storage.prices.list()).find(override => override.uid === uid)
      const before = found === undefined ? null : setJson(found)
      const audit = auditEntry(call, {
        resourceName: `priceOverrides/${shownName(uid)}`,
        projectNumber: null,
        before,
        after: null,
      })
      await storage.prices.delete(uid, audit)
      return {}
    },
  }
}

type PriceJson = ResponseOf<typeof PRICES_V1.getPrice>
type OverrideJson = ResponseOf<typeof PRICES_V1.createPriceOverride>

function setJson({ uid, model, effectiveTimeMs, fields, createTimeMs }: PriceOverride): OverrideJson {
  return {
    name: `priceOverrides/${uid}`,
    model,
    effectiveTime: timeJson(effectiveTimeMs),
    price: fields,
    createTime: timeJson(createTimeMs),
  }
}

function priceJson({ fromMs, untilMs }: PricePeriod, price: Price): PriceJson {
  return {
    model: price.model,
    origin: price.origin,
    ...(Number.isFinite(fromMs) ? { startTime: timeJson(fromMs) } : {}),
    ...(Number.isFinite(untilMs) ? { endTime: timeJson(untilMs) } : {}),
    isPriced: price.units !== null || (price.isByToken && price.row.input !== undefined),
    fields: fieldsOf(price.row),
  }
}

/** What a row says of the price itself, in the order in which people read it. */
const FIELD_NAMES = [
  'input',
  'cached',
  'output',
  'inputOver200k',
  'cachedOver200k',
  'outputOver200k',
  'cacheStoragePerMTokenHour',
  'batchFactor',
  'flexFactor',
  'priorityFactor',
  'tools',
  'perUnit',
  'perUnitKind',
  'source',
  'note',
] as const satisfies readonly (keyof PriceFields)[]

function fieldsOf(row: PriceRow): PriceFields {
  return Object.fromEntries(
    FIELD_NAMES.filter(name => row[name] !== undefined).map(name => [name, row[name]]),
  )
}

function tiersJson(price: Price): NonNullable<PriceJson['tiers']> {
  const known = PRICED_TIERS.flatMap(tier => {
    const lines = price.isByToken ? price.tiers[tier] : null
    if (lines === null) return []
    const { short, long, storage } = lines
    const json = {
      ...linesJson(short),
      ...(long === short ? {} : { over200k: linesJson(long) }),
      ...(storage === null ? {} : { storage: String(storage) }),
    }
    return [[tier, json]] as const
  })
  return Object.fromEntries(known)
}

function linesJson({ input, cached, output }: Lines) {
  return { input: ratesJson(input), cached: ratesJson(cached), output: ratesJson(output) }
}

function ratesJson(rates: Rates): Record<string, string> {
  const known = Object.entries(rates).filter(([, picos]) => picos !== null)
  return Object.fromEntries(known.map(([modality, picos]) => [modality, String(picos)]))
}
