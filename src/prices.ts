/**
 * The price list and model limits: what ships in `prices/`, for models it lacks the data of `@pydantic/genai-prices`, and
 * over both the operator's own file.
 */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { type ConditionalPrice, type ModelInfo, type ModelPrice, findProvider } from '@pydantic/genai-prices'
import { type ModelLimitRow, ModelLimits } from './domain/model-limits.ts'
import { PriceBook } from './domain/price-book.ts'
import type { PriceRow, UsdRates } from './domain/price.ts'
import { PriceFileRow } from './contract/prices.v1.ts'
import { ApiError } from './domain/error.ts'

const PRICES = new URL('../prices/prices.json', import.meta.url)
const LIMITS = new URL('../prices/models.json', import.meta.url)

/**
 * The prices in force, those of the operator's file first. Throws FIELD_INVALID where a list contradicts itself, or the
 * file cannot be read or is none.
 */
export function loadPrices(file: string | null = null): PriceBook {
  const own = JSON.parse(readFileSync(PRICES, 'utf8')) as PriceRow[]
  const sources = { own, fallback: packageRows() }
  if (file === null) return new PriceBook({ ...sources, file: [] })
  try {
    return new PriceBook({ ...sources, file: fileRows(file) })
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw new ApiError('FIELD_INVALID', `The prices file ${file} cannot be used. ${error.message}`, {
      cause: error,
    })
  }
}

function fileRows(file: string): PriceRow[] {
  const result = z.array(PriceFileRow).safeParse(JSON.parse(readFileSync(file, 'utf8')))
  if (result.success) return result.data.map(row => ({ ...row, origin: 'file' }))
  throw new Error(z.prettifyError(result.error))
}

export function loadModelLimits(): ModelLimits {
  return new ModelLimits(JSON.parse(readFileSync(LIMITS, 'utf8')) as ModelLimitRow[])
}

// Under `google` the package also has what Vertex AI sells: other vendors' models, and ids with its own suffix.
const GEMINI_API_MODEL = /^gem(?:ini|ma)-(?!.*-maas$)/
const LONG_CONTEXT_START = 200_000

/** The package's numbers as rows, by exact id. Its matching rules are left out: they price some models as others. */
function packageRows(): PriceRow[] {
  const models = findProvider({ providerId: 'google' })?.models ?? []
  return models
    .filter(({ id, deprecated }) => GEMINI_API_MODEL.test(id) && deprecated !== true)
    .flatMap(rowsOf)
}

/** No rows for a record we cannot read in full: a price by the hour, another long-context limit, no text prices. */
function rowsOf(model: ModelInfo): PriceRow[] {
  const dated: ConditionalPrice[] = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }]
  const rows: PriceRow[] = []
  for (const { constraint, prices } of dated) {
    if (constraint !== undefined && constraint.type !== 'start_date') return []
    const effectiveFrom = constraint?.start_date ?? null
    const row = rowOf(prices, { model: model.id, effectiveFrom })
    if (row === null) return []
    rows.push({ ...row, origin: 'package' })
  }
  return rows
}

function rowOf(
  prices: ModelPrice,
  { model, effectiveFrom }: Pick<PriceRow, 'model' | 'effectiveFrom'>,
): PriceRow | null {
  const [short, long] = [new Map<string, number>(), new Map<string, number>()]
  for (const [unit, price] of Object.entries(prices)) {
    if (price === undefined) continue
    if (typeof price === 'number') {
      short.set(unit, price)
      continue
    }
    const [tier, ...more] = price.tiers
    if (tier?.start !== LONG_CONTEXT_START || more.length > 0) return null
    short.set(unit, price.base)
    long.set(unit, tier.price)
  }
  if (!short.has('input_mtok') || !short.has('output_mtok')) return null
  const row = { model, effectiveFrom, ...linesOf(short) }
  if (long.size === 0) return row
  // What has no long-context price of its own keeps the one it has.
  const { input, cached, output } = linesOf(new Map([...short, ...long]))
  return { ...row, inputOver200k: input, cachedOver200k: cached, outputOver200k: output }
}

/** `input_mtok` covers every modality that has no unit of its own; other output than text needs one. */
function linesOf(
  units: ReadonlyMap<string, number>,
): Required<Pick<PriceRow, 'input' | 'cached' | 'output'>> {
  const all = units.get('input_mtok')
  const allCached = units.get('cache_read_mtok')
  return {
    input: usdRates({
      text: units.get('input_text_mtok') ?? all,
      image: units.get('input_image_mtok') ?? all,
      audio: units.get('input_audio_mtok') ?? all,
      video: units.get('input_video_mtok') ?? all,
    }),
    cached: usdRates({
      text: allCached,
      image: units.get('cache_image_read_mtok') ?? allCached,
      audio: units.get('cache_audio_read_mtok') ?? (units.has('input_audio_mtok') ? undefined : allCached),
      video: units.get('cache_video_read_mtok') ?? allCached,
    }),
    output: usdRates({
      text: units.get('output_text_mtok') ?? units.get('output_mtok'),
      image: units.get('output_image_mtok'),
      audio: units.get('output_audio_mtok'),
      video: units.get('output_video_mtok'),
    }),
  }
}

function usdRates(rates: Readonly<Record<string, number | undefined>>): UsdRates {
  return Object.fromEntries(Object.entries(rates).filter(([, rate]) => rate !== undefined))
}
