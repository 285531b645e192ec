/**
 * What a call cost: one pure function of its usage, the price it was admitted under and the tier it was served in
 * (MONEY.md rule 18, gemini-wire 2.7 and 6.1). Sums are exact and rounded once, up, to a whole nano-dollar.
 */
import {
  type AskedModalities,
  type BilledUnit,
  COMES_WITH,
  type Lines,
  MODALITIES,
  type Modality,
  PRICED_TIERS,
  type Price,
  type PricedTier,
  type Rates,
  SHORT_PROMPT_TOKENS_MAX,
  TEXT_ASKED,
} from './price.ts'
import { type ModalityCount, type Usage, isTextOnly } from './usage.ts'

/** What a reply tells besides its usage. */
export interface Served {
  /** The tier by the header `x-gemini-service-tier`, or `batch`; used where `usage.serviceTier` does not say. */
  readonly tier: string | null
  /** Searches the model ran: `groundingMetadata.webSearchQueries`. Gemini 3 and later bill each. */
  readonly searchQueries: number
  /** Prompts answered with search, 0 or 1 for a single call. Gemini 2.x bills these instead of queries. */
  readonly searchPrompts: number
  readonly mapsQueries: number
  /** Pieces that were made: seconds of film, songs, pictures. Null: none. */
  readonly units: Units | null
  /** Tokens an explicit cache kept, times the seconds it kept them. */
  readonly storedTokenSeconds: number
}

export type Units = Readonly<Partial<Record<BilledUnit, number>>>

export const SERVED_PLAINLY: Served = {
  tier: null,
  searchQueries: 0,
  searchPrompts: 0,
  mapsQueries: 0,
  units: null,
  storedTokenSeconds: 0,
}

const UNSPECIFIED: ReadonlySet<string> = new Set(['', 'unspecified', 'service_tier_unspecified'])

const TIERS: ReadonlyMap<string, PricedTier> = new Map([
  ...[...UNSPECIFIED].map(name => [name, 'standard'] as const),
  ...PRICED_TIERS.map(tier => [tier, tier] as const),
  ...PRICED_TIERS.map(tier => [`service_tier_${tier}`, tier] as const),
])

/** The tier a name means, in any case; nothing named is standard; null: none we know. */
export function tierOf(name: string | null): PricedTier | null {
  return name === null ? 'standard' : (TIERS.get(name.toLowerCase()) ?? null)
}

/**
 * Cost in whole nano-dollars, rounded up; null: unpriced, as something was used (a modality, a tier, a tool, a unit) that
 * has no known price. Free quotas of search and maps are not modelled: they are charged from the first. Where pieces are
 * billed, their tokens are not.
 *
 * Where counts by modality leave something open, or Google sent none, the dearest reading counts: tokens they do not name
 * are of the dearest modality with a price that they do name, or that the call can have had (`asked`); cached tokens they
 * do not name are of the modality whose discount is least. `worstCase` of the same modalities is never below that.
 *
 * Costs beyond 2^53 nano-dollars (nine million dollars), which no real call has, are given as `Number.MAX_SAFE_INTEGER`.
 */
export function costOf(
  usage: Usage,
  price: Price,
  served: Served = SERVED_PLAINLY,
  asked: AskedModalities = TEXT_ASKED,
): number | null {
  const tier = servedTier(usage, served)
  if (price.units !== null) return tier === 'standard' ? costOfUnits(price, served) : null
  if (!price.isByToken) return null
  const tierLines = tier === null ? null : price.tiers[tier]
  if (tierLines === null) return null
  const lines = usage.promptTokens > SHORT_PROMPT_TOKENS_MAX ? tierLines.long : tierLines.short
  const isText = asksText(asked) && isTextOnly(usage.details) && usage.cachedTokens <= usage.promptTokens
  const isPlain = served.searchQueries === 0 && served.searchPrompts === 0 && served.mapsQueries === 0
  if (isText && isPlain && served.storedTokenSeconds === 0) return costOfText(usage, lines)
  const bill = billByModality(usage, lines, asked)
  if (bill === null || !addTools(bill, price, served)) return null
  return bill.store(served.storedTokenSeconds, tierLines.storage) ? bill.nanos() : null
}

/** What was made by the piece, and the fees of tools; null: a unit without a price, or nobody counted. */
function costOfUnits(price: Price, served: Served): number | null {
  if (served.units === null) return null
  const bill = new Bill()
  for (const [unit, amount] of Object.entries(served.units) as [BilledUnit, number][]) {
    if (!bill.add(amount, price.units?.[unit] ?? null)) return null
  }
  return addTools(bill, price, served) ? bill.nanos() : null
}

function servedTier(usage: Usage, served: Served): PricedTier | null {
  const told = usage.serviceTier
  return tierOf(told === null || UNSPECIFIED.has(told.toLowerCase()) ? served.tier : told)
}

/** Nearly every call: all of it is text, and no tool has a charge. */
function costOfText(usage: Usage, lines: Lines): number | null {
  const uncached = usage.promptTokens - usage.cachedTokens
  const input = lines.input.text
  const cached = lines.cached.text
  const output = lines.output.text
  if (input === null && (uncached > 0 || usage.toolUsePromptTokens > 0)) return null
  if (cached === null && usage.cachedTokens > 0) return null
  if (output === null && (usage.candidatesTokens > 0 || usage.thoughtsTokens > 0)) return null
  const picos =
    uncached * (input ?? 0) +
    usage.toolUsePromptTokens * (input ?? 0) +
    usage.cachedTokens * (cached ?? 0) +
    usage.candidatesTokens * (output ?? 0) +
    usage.thoughtsTokens * (output ?? 0)
  if (picos <= Number.MAX_SAFE_INTEGER) return nanosUp(picos)
  return billByModality({ ...usage, details: null }, lines, TEXT_ASKED)?.nanos() ?? null
}

/**
 * Whole nano-dollars of whole pico-dollars, rounded up. Exact up to 2^53, which doubles hold without loss: no term is
 * negative, so where the sum stayed below 2^53, so did every step.
 */
export function nanosUp(picos: number): number {
  const rest = picos % 1000
  return (picos - rest) / 1000 + (rest > 0 ? 1 : 0)
}

/** The same from exact integers of any size; what passes 2^53 is given as the greatest safe integer. */
export function nanosUpExact(picos: bigint): number {
  const nanos = (picos + 999n) / 1000n
  return nanos > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(nanos)
}

/** The factor of projects that are charged what the price list says. */
export const LIST_PRICE_BASIS_POINTS = 10_000

/**
 * What a project is charged for what costs `nanos` by the price list: times its tier's factor, rounded up to a whole
 * nano-dollar. What costs something is never free, and of two amounts the dearer is never charged less, so that a bound
 * stays one. Beyond 2^53 as `costOf`.
 */
export function chargedNanos(nanos: number, basisPoints: number): number {
  if (basisPoints === LIST_PRICE_BASIS_POINTS) return nanos
  const charged = (BigInt(nanos) * BigInt(basisPoints) + LIST_PRICE - 1n) / LIST_PRICE
  return charged > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(charged)
}

/** The most that may cost by the price list what a project is charged at most `nanos` for. */
export function affordableNanos(nanos: number, basisPoints: number): number {
  if (basisPoints === LIST_PRICE_BASIS_POINTS) return nanos
  const affordable = (BigInt(nanos) * LIST_PRICE) / BigInt(basisPoints)
  return affordable > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(affordable)
}

const LIST_PRICE = BigInt(LIST_PRICE_BASIS_POINTS)

/** Amounts and their rates, added up exactly. */
class Bill {
  readonly #amounts: number[] = []
  readonly #rates: number[] = []
  /** Pico-dollars times 3,600: storage is billed by the hour and kept by the second. */
  #stored = 0n

  /** False: something is owed at a rate that is unknown. */
  add(amount: number, rate: number | null): boolean {
    if (amount <= 0) return true
    if (rate === null) return false
    this.#amounts.push(amount)
    this.#rates.push(rate)
    return true
  }

  /** The same for tokens kept in a cache, at a rate per hour. */
  store(tokenSeconds: number, hourlyRate: number | null): boolean {
    if (tokenSeconds <= 0) return true
    if (hourlyRate === null) return false
    this.#stored += BigInt(tokenSeconds) * BigInt(hourlyRate)
    return true
  }

  nanos(): number {
    let picos = 0
    for (const [index, amount] of this.#amounts.entries()) picos += amount * (this.#rates[index] ?? 0)
    if (picos <= Number.MAX_SAFE_INTEGER && this.#stored === 0n) return nanosUp(picos)
    let exact = 0n
    for (const [index, amount] of this.#amounts.entries()) {
      exact += BigInt(amount) * BigInt(this.#rates[index] ?? 0)
    }
    // Rounded up to a pico-dollar here and to a nano-dollar there: the same as rounding up once.
    return nanosUpExact(exact + (this.#stored + HOUR_SECONDS - 1n) / HOUR_SECONDS)
  }
}

const HOUR_SECONDS = 3_600n

function addTools(bill: Bill, price: Price, served: Served): boolean {
  const { googleSearch: search, googleMaps: maps } = price.tools
  const searchUnits = search?.unit === 'prompt' ? served.searchPrompts : served.searchQueries
  const mapsUnits = maps?.unit === 'prompt' ? Math.min(1, served.mapsQueries) : served.mapsQueries
  if (search === undefined && (served.searchQueries > 0 || served.searchPrompts > 0)) return false
  return bill.add(searchUnits, search?.picos ?? null) && bill.add(mapsUnits, maps?.picos ?? null)
}

function asksText({ inputModalities, outputModalities }: AskedModalities): boolean {
  return inputModalities.every(isText) && outputModalities.every(isText)
}

function isText(modality: Modality): boolean {
  return modality === 'text'
}

/** What tokens are counted as: their modality, or `open` where none is told. */
const KINDS = [...MODALITIES, 'open'] as const
type Kind = (typeof KINDS)[number]
type Counts = Record<Kind, number>
type KindRates = Readonly<Record<Kind, number | null>>

function billByModality(usage: Usage, lines: Lines, asked: AskedModalities): Bill | null {
  const { details } = usage
  const prompt = countsOf(details?.prompt, usage.promptTokens)
  const cached = namedCounts(details?.cached)
  const tools = countsOf(details?.toolUsePrompt, usage.toolUsePromptTokens)
  const output = countsOf(details?.candidates, usage.candidatesTokens)
  if (prompt === null || cached === null || tools === null || output === null) return null
  const rates = {
    input: withOpen(lines.input, prompt, asked.inputModalities),
    cached: withOpen(lines.cached, prompt, asked.inputModalities),
    tools: withOpen(lines.input, tools, asked.inputModalities),
    output: withOpen(lines.output, output, asked.outputModalities),
  }
  const uncached = moveCached(prompt, cached, { rates, total: usage.cachedTokens })
  const bill = new Bill()
  for (const kind of KINDS) {
    const isKnown =
      bill.add(uncached[kind], rates.input[kind]) &&
      bill.add(cached[kind], rates.cached[kind]) &&
      bill.add(tools[kind], rates.tools[kind]) &&
      bill.add(output[kind], rates.output[kind])
    if (!isKnown) return null
  }
  return bill.add(usage.thoughtsTokens, lines.output.text) ? bill : null
}

/** Tokens by modality, at least `total`: what the details do not name is open. Null for a modality we do not know. */
function countsOf(details: readonly ModalityCount[] | undefined, total: number): Counts | null {
  const counts = namedCounts(details)
  if (counts !== null) counts.open = Math.max(0, total - sumOf(counts))
  return counts
}

function namedCounts(details: readonly ModalityCount[] | undefined): Counts | null {
  const counts: Counts = { text: 0, image: 0, audio: 0, video: 0, document: 0, open: 0 }
  for (const { modality, tokenCount } of details ?? []) {
    const name = MODALITY_NAMES.get(modality)
    if (name !== undefined) counts[name] += tokenCount
    else if (tokenCount > 0) return null
  }
  return counts
}

const MODALITY_NAMES: ReadonlyMap<string, Modality> = new Map(
  MODALITIES.map(modality => [modality.toUpperCase(), modality]),
)

function sumOf(counts: Counts): number {
  return counts.text + counts.image + counts.audio + counts.video + counts.document + counts.open
}

/** What is open costs what the dearest does of all that is named or can have been there, as far as it has a price. */
function withOpen(rates: Rates, named: Counts, asked: readonly Modality[]): KindRates {
  let open: number | null = null
  for (const modality of MODALITIES) {
    const rate = rates[modality]
    const isPossible = named[modality] > 0 || asked.some(of => of === modality || COMES_WITH[of] === modality)
    if (isPossible && rate !== null && rate > (open ?? -1)) open = rate
  }
  return { ...rates, open }
}

/**
 * What of the prompt was not cached. Adds the cached tokens that name no modality to `cached`. No token is billed twice,
 * whatever the details say: a cached token is always one less that is not.
 */
function moveCached(
  prompt: Counts,
  cached: Counts,
  {
    rates,
    total,
  }: { readonly rates: Readonly<Record<'input' | 'cached', KindRates>>; readonly total: number },
): Counts {
  const open = Math.max(0, total - sumOf(cached))
  const left = Math.max(0, sumOf(prompt) - sumOf(cached))
  const uncached = { ...prompt }
  for (const kind of KINDS) uncached[kind] = Math.max(0, prompt[kind] - cached[kind])
  // More is cached of a modality than the prompt has of it: the rest of it was open there, or took the place of something else.
  const place = (kind: Kind): number => (kind === 'open' ? -1 : (rates.input[kind] ?? 0))
  take(uncached, { amount: sumOf(uncached) - left, order: place })
  const discount = (kind: Kind): number => (rates.input[kind] ?? 0) - (rates.cached[kind] ?? 0)
  const over = take(uncached, { amount: open, order: discount, into: cached })
  cached.open += over
  return uncached
}

interface Taking {
  readonly amount: number
  readonly order: (kind: Kind) => number
  readonly into?: Counts
}

/** Takes tokens away, the lowest in order first; returns how many were not there. */
function take(counts: Counts, { amount, order, into }: Taking): number {
  let open = amount
  for (const kind of [...KINDS].sort((a, b) => order(a) - order(b))) {
    const taken = Math.min(open, counts[kind])
    if (taken <= 0) continue
    counts[kind] -= taken
    open -= taken
    if (into !== undefined) into[kind] += taken
  }
  return open
}
