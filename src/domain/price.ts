/**
 * What a model costs from one date on. A rate is whole pico-dollars per token (dollars per million tokens x 1,000,000),
 * so that products with token counts are exact; null means unknown, which is never zero (gemini-wire 6.6).
 */
import { invalidField } from './error.ts'

export const MODALITIES = ['text', 'image', 'audio', 'video', 'document'] as const
/** Gemini's modalities of tokens. A document costs what text costs where it has no price of its own. */
export type Modality = (typeof MODALITIES)[number]

export const TEXT_ONLY: readonly Modality[] = ['text']

/** What comes along with a modality: a film has sound, and Gemini 3 counts the pages of a PDF as images. */
export const COMES_WITH: Readonly<Partial<Record<Modality, Modality>>> = { video: 'audio', document: 'image' }

/** What a call can have, beside what comes along with it. */
export interface AskedModalities {
  /** Every modality the prompt can hold. */
  readonly inputModalities: readonly Modality[]
  /** Every modality asked for, or that the model answers in unasked. Thoughts are text. */
  readonly outputModalities: readonly Modality[]
}

export const TEXT_ASKED: AskedModalities = { inputModalities: TEXT_ONLY, outputModalities: TEXT_ONLY }

export type Rates = Readonly<Record<Modality, number | null>>

/** The three lines of a bill. A modality without a cached price gets no discount: its cached rate is its input rate. */
export interface Lines {
  readonly input: Rates
  readonly cached: Rates
  /** Thoughts are output of modality text. */
  readonly output: Rates
}

/** The lines of one service tier. Both are the same object where the model has no long-context price. */
export interface TierLines {
  readonly short: Lines
  /** For the whole of a call whose prompt has more than `SHORT_PROMPT_TOKENS_MAX` tokens (gemini-wire 6.1). */
  readonly long: Lines
  /** Pico-dollars for each token that an explicit cache keeps for an hour; null: unknown. */
  readonly storage: number | null
}

/** The most a token can cost: the dearer of a tier and standard, to which a call may be downgraded, and of input and cached. */
export interface MostLines {
  readonly short: Pick<Lines, 'input' | 'output'>
  /** The dearer of both contexts: a long bound may turn out a short prompt. */
  readonly long: Pick<Lines, 'input' | 'output'>
}

/** A prompt of more tokens than this, cached ones included, is billed at the long-context rates. */
export const SHORT_PROMPT_TOKENS_MAX = 200_000

export const PRICED_TIERS = ['standard', 'flex', 'priority', 'batch'] as const
export type PricedTier = (typeof PRICED_TIERS)[number]

export const FEE_TOOLS = ['googleSearch', 'googleMaps', 'codeExecution', 'urlContext'] as const
export type FeeTool = (typeof FEE_TOOLS)[number]

/** What a tool costs beside tokens. `prompt`: once per call that used it; `query`: for every query the model ran. */
export interface ToolFee {
  readonly unit: 'query' | 'prompt'
  /**
   * Pico-dollars per unit, from the first. Google's free units are shared by everything that uses the upstream's project
   * (gemini-wire 6.4), so nobody here can know whether a call still had one: `free` only tells of them.
   */
  readonly picos: number
  readonly free: { readonly units: number; readonly per: 'day' | 'month' } | null
}

/** What is billed by the piece where tokens are not: seconds of film by their resolution, songs, pictures by their size. */
export const BILLED_UNITS = [
  'videoSecond360p',
  'videoSecond720p',
  'videoSecond1080p',
  'videoSecond4K',
  'song',
  'image0.5K',
  'image1K',
  'image2K',
  'image4K',
] as const
export type BilledUnit = (typeof BILLED_UNITS)[number]

/** Whose price it is: our list's, the package's, that of the operator's file, one set over the API. */
export type PriceOrigin = 'shipped' | 'package' | 'file' | 'operator'

export interface Price {
  /** Exact model id, without `models/`. */
  readonly model: string
  /** When the price came into force, epoch ms; null: before any date we know. */
  readonly effectiveFromMs: number | null
  readonly origin: PriceOrigin
  /** The row it was read from; of two rows that may both hold, the later one. */
  readonly row: PriceRow
  /** False where pieces or minutes are billed: token counts then say nothing of the cost. */
  readonly isByToken: boolean
  /** Pico-dollars for each piece; null where tokens are billed. A unit that is absent has no known price. */
  readonly units: Readonly<Partial<Record<BilledUnit, number>>> | null
  /** Null where the model has no price for that tier. */
  readonly tiers: Readonly<Record<PricedTier, TierLines | null>>
  /** What a call that asks for the tier costs at most. */
  readonly most: Readonly<Record<PricedTier, MostLines | null>>
  /** A tool that is absent has no known price. */
  readonly tools: Readonly<Partial<Record<FeeTool, ToolFee>>>
}

/** Dollars per million tokens by modality, as price data has them. */
export type UsdRates = Readonly<Partial<Record<Modality, number | undefined>>>

/** One row of `prices/prices.json`: a model and a date. */
export interface PriceRow {
  readonly model: string
  /** Further exact ids of the same price. */
  readonly aliases?: readonly string[] | undefined
  /** `YYYY-MM-DD`, whose zone nobody names, or an RFC 3339 time; null: in force until the model's next row. */
  readonly effectiveFrom: string | null
  readonly input?: UsdRates | undefined
  readonly output?: UsdRates | undefined
  readonly cached?: UsdRates | undefined
  readonly inputOver200k?: UsdRates | undefined
  readonly outputOver200k?: UsdRates | undefined
  readonly cachedOver200k?: UsdRates | undefined
  readonly cacheStoragePerMTokenHour?: number | undefined
  readonly tools?: Readonly<Record<string, ToolRow>> | undefined
  readonly perUnit?: Readonly<Record<string, number>> | undefined
  readonly batchFactor?: number | undefined
  readonly flexFactor?: number | undefined
  readonly priorityFactor?: number | undefined
  /** What `perUnit` prices are: the price itself, the token price told otherwise, or all that is known of it. */
  readonly perUnitKind?: 'billed' | 'equivalent' | 'approximate' | undefined
  readonly source?: string | undefined
  readonly sourceDate?: string | undefined
  readonly note?: string | undefined
  /** Absent: our own list. */
  readonly origin?: PriceOrigin | undefined
}

interface ToolRow {
  readonly usdPer1000?: number | undefined
  readonly unit?: string | undefined
  readonly freePerDay?: number | undefined
  readonly freePerMonth?: number | undefined
}

const PICO_DIGITS = 6
const FEE_DIGITS = 9
const UNIT_DIGITS = 12
const FACTOR_DIGITS = 3

/**
 * The price of one row. Throws FIELD_INVALID for a rate that is negative, no decimal, or finer than a pico-dollar per
 * token, factor applied. Factors multiply input and output; priority also cached and storage, flex and batch do not (gemini-wire 6.6).
 */
export function parsePrice(row: PriceRow, effectiveFromMs: number | null): Price {
  const where = `prices.${row.model}`
  const short = parseLines({ input: row.input, cached: row.cached, output: row.output }, where)
  const hasLong = Boolean(row.inputOver200k ?? row.outputOver200k ?? row.cachedOver200k)
  const long = hasLong
    ? parseLines({ input: row.inputOver200k, cached: row.cachedOver200k, output: row.outputOver200k }, where)
    : short
  const perHour = row.cacheStoragePerMTokenHour
  const storage = perHour === undefined ? null : scaled(perHour, PICO_DIGITS, where)
  const tier = (factor: number | undefined, withCached: boolean): TierLines | null => {
    if (factor === undefined) return null
    const multiplier = { thousandths: scaled(factor, FACTOR_DIGITS, where), withCached, where }
    const shortLines = multiplied(short, multiplier)
    return {
      short: shortLines,
      long: hasLong ? multiplied(long, multiplier) : shortLines,
      storage: storage === null || !withCached ? storage : timesFactor(storage, multiplier),
    }
  }
  const tiers = {
    standard: { short, long, storage },
    flex: tier(row.flexFactor, false),
    priority: tier(row.priorityFactor, true),
    batch: tier(row.batchFactor, false),
  }
  return {
    model: row.model,
    effectiveFromMs,
    origin: row.origin ?? 'shipped',
    row,
    isByToken: row.perUnitKind !== 'billed' && row.perUnitKind !== 'approximate',
    units: row.perUnitKind === 'billed' ? parseUnits(row.perUnit ?? {}, where) : null,
    tiers,
    most: mostOf(tiers),
    tools: parseTools(row.tools ?? {}, where),
  }
}

/**
 * The dearer of two prices, line by line: what a call costs at most while it is not known which is in force. What either
 * lacks, the result lacks.
 */
export function dearerPrice(one: Price, other: Price): Price {
  const tiers = {} as Record<PricedTier, TierLines | null>
  for (const name of PRICED_TIERS) {
    const [first, second] = [one.tiers[name], other.tiers[name]]
    tiers[name] = dearerTier(first, second)
  }
  const tools: Partial<Record<FeeTool, ToolFee>> = {}
  for (const name of FEE_TOOLS) {
    const [first, second] = [one.tools[name], other.tools[name]]
    if (first === undefined || second === undefined || first.unit !== second.unit) continue
    tools[name] = first.picos >= second.picos ? first : second
  }
  const isByToken = one.isByToken && other.isByToken
  return {
    model: one.model,
    effectiveFromMs: one.effectiveFromMs,
    origin: other.origin,
    row: other.row,
    isByToken,
    units: dearerUnits(one.units, other.units),
    tiers,
    most: mostOf(tiers),
    tools,
  }
}

function dearerTier(one: TierLines | null, other: TierLines | null): TierLines | null {
  if (one === null || other === null) return null
  return {
    short: dearerLines(one.short, other.short),
    long: dearerLines(one.long, other.long),
    storage: dearerRate(one.storage, other.storage),
  }
}

function dearerUnits(one: Price['units'], other: Price['units']): Price['units'] {
  if (one === null || other === null) return null
  const units: Partial<Record<BilledUnit, number>> = {}
  for (const unit of BILLED_UNITS) {
    const dearer = dearerRate(one[unit] ?? null, other[unit] ?? null)
    if (dearer !== null) units[unit] = dearer
  }
  return units
}

function dearerRate(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : Math.max(one, other)
}

function dearerLines(one: Lines, other: Lines): Lines {
  return {
    input: dearerRates(one.input, other.input),
    cached: dearerRates(one.cached, other.cached),
    output: dearerRates(one.output, other.output),
  }
}

function dearerRates(one: Rates, other: Rates): Rates {
  return ratesBy(modality => dearerRate(one[modality], other[modality]))
}

function mostOf(tiers: Price['tiers']): Price['most'] {
  return tiersBy(name => {
    const dearer = dearerTier(tiers[name], tiers.standard)
    if (dearer === null) return null
    const short = mostLines(dearer.short)
    const long = mostLines(dearer.long)
    return {
      short,
      long: { input: dearerRates(short.input, long.input), output: dearerRates(short.output, long.output) },
    }
  })
}

function mostLines({ input, cached, output }: Lines): Pick<Lines, 'input' | 'output'> {
  return { input: dearerRates(input, cached), output }
}

function tiersBy<T>(of: (tier: PricedTier) => T): Record<PricedTier, T> {
  return { standard: of('standard'), flex: of('flex'), priority: of('priority'), batch: of('batch') }
}

interface UsdLines {
  readonly input: UsdRates | undefined
  readonly cached: UsdRates | undefined
  readonly output: UsdRates | undefined
}

function parseLines(usd: UsdLines, where: string): Lines {
  const input = parseRates(usd.input, where)
  const cached = parseRates(usd.cached, where)
  return {
    input,
    cached: ratesBy(modality => cached[modality] ?? input[modality]),
    output: withText(parseRates(usd.output, where)),
  }
}

/**
 * A model that only speaks or draws has one output price, and thoughts are billed at it too (gemini-wire 6.1): text costs
 * what the dearest of its outputs does.
 */
function withText(output: Rates): Rates {
  const known = MODALITIES.map(modality => output[modality]).filter(rate => rate !== null)
  return output.text !== null || known.length === 0 ? output : { ...output, text: Math.max(...known) }
}

function parseRates(usd: UsdRates | undefined, where: string): Rates {
  return ratesBy(modality => {
    const rate = usd?.[modality] ?? (modality === 'document' ? usd?.text : undefined)
    return rate === undefined ? null : scaled(rate, PICO_DIGITS, where)
  })
}

function parseTools(rows: Readonly<Record<string, ToolRow>>, where: string): Price['tools'] {
  const tools: Partial<Record<FeeTool, ToolFee>> = {}
  for (const name of FEE_TOOLS) {
    const usdPer1000 = rows[name]?.usdPer1000
    if (usdPer1000 === undefined) continue
    const unit = rows[name]?.unit === 'groundedPrompt' ? 'prompt' : 'query'
    tools[name] = { unit, picos: scaled(usdPer1000, FEE_DIGITS, where), free: freeUnits(rows[name]) }
  }
  return tools
}

function freeUnits({ freePerDay, freePerMonth }: ToolRow = {}): ToolFee['free'] {
  if (freePerDay !== undefined) return { units: freePerDay, per: 'day' }
  return freePerMonth === undefined ? null : { units: freePerMonth, per: 'month' }
}

/** A clip of 30 seconds is a song of a model that writes no longer ones. */
const CLIP = 'clip30s'

function parseUnits(rows: Readonly<Record<string, number>>, where: string): NonNullable<Price['units']> {
  const units: Partial<Record<BilledUnit, number>> = {}
  for (const [name, usd] of Object.entries(rows)) {
    const unit = BILLED_UNITS.find(unit => unit === (name === CLIP ? 'song' : name))
    if (unit === undefined)
      throw invalidField(where, `'${name}' is no unit; known are ${BILLED_UNITS.join(', ')} and ${CLIP}`)
    units[unit] = scaled(usd, UNIT_DIGITS, where)
  }
  return units
}

interface Multiplier {
  readonly thousandths: number
  readonly withCached: boolean
  readonly where: string
}

function multiplied(lines: Lines, multiplier: Multiplier): Lines {
  const times = (rates: Rates): Rates =>
    ratesBy(modality => {
      const rate = rates[modality]
      return rate === null ? null : timesFactor(rate, multiplier)
    })
  return {
    input: times(lines.input),
    cached: multiplier.withCached ? times(lines.cached) : lines.cached,
    output: times(lines.output),
  }
}

function timesFactor(rate: number, { thousandths, where }: Multiplier): number {
  const picos = (rate * thousandths) / 1000
  if (!Number.isSafeInteger(picos))
    throw invalidField(where, 'a rate times its factor must be whole pico-dollars')
  return picos
}

function ratesBy(rate: (modality: Modality) => number | null): Rates {
  return {
    text: rate('text'),
    image: rate('image'),
    audio: rate('audio'),
    video: rate('video'),
    document: rate('document'),
  }
}

/** A thousand dollars per million tokens or per thousand queries: more is a slip of the pen. */
const VALUE_MAX = 1000

/** A decimal as a whole number of its last place: read from its shortest text, as 0.075 x 1,000,000 is no whole double. */
function scaled(value: number, digits: number, where: string): number {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(String(value))
  const [, whole = '', fraction = ''] = match ?? []
  if (match === null || fraction.length > digits || value > VALUE_MAX) {
    throw invalidField(
      where,
      `${value} is no price: write a decimal to ${VALUE_MAX}, at most ${digits} places`,
    )
  }
  return Number(whole + fraction.padEnd(digits, '0'))
}
