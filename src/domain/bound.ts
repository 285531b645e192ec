/**
 * What a call can cost at most, before it is sent (MONEY.md rules 10 to 14). `worstCase` is never below `costOf` for any
 * usage within the bounds; a property test holds the two together.
 */
import type { BudgetPolicy, UnboundedTool } from './budget.ts'
import { nanosUp, nanosUpExact, tierOf } from './cost.ts'
import type { ModelLimit } from './model-limits.ts'
import {
  type AskedModalities,
  COMES_WITH,
  FEE_TOOLS,
  type FeeTool,
  type Modality,
  type Price,
  type Rates,
  SHORT_PROMPT_TOKENS_MAX,
} from './price.ts'
import { type UsedTool, toolName } from './tool.ts'

/** Tokens Google may add around a part (turn and part markers), and around a request. */
const PART_ALLOWANCE_TOKENS = 16
const REQUEST_ALLOWANCE_TOKENS = 64

/**
 * The most an image takes: 24 tiles of 258 tokens, which is what an image of any shape scaled to 3,072 pixels is cut into
 * on 2.x; media resolutions of 3.x take at most 2,240 (older versions of docs/image-understanding, docs/media-resolution).
 */
const IMAGE_TOKENS_MAX = 24 * 258

/**
 * A token of sound is a 32nd of a second (gemini-wire 6.3). MPEG audio cannot say less about it than 2.8 bytes: a frame of
 * layer II has 13 bytes of header and bit allocation, and lasts 144 ms at most (ISO 13818-3; 8 kHz, of MPEG 2.5).
 */
const MP3_TOKEN_BYTES_MIN = 2

const MP3 = /^audio\/(?:mp3|mpeg|mpga)$/i
const STILL_IMAGE = /^image\/(?:png|jpeg|webp|heic|heif)$/i
const PLAIN_TEXT = /^(?:text\/|application\/json$)/i

/** What a request sends, as far as it bounds the prompt. */
export interface PromptSize {
  /** UTF-8 bytes of all text; those of the whole body where texts are not told apart. */
  readonly textBytes: number
  /** Contents and parts, function declarations included. */
  readonly parts: number
  /** Sum of `mediaBoundTokens` over the inline media. */
  readonly mediaTokens: number
  /** The prompt refers to what is not in it: fileData, a public URL, cachedContent, a continuation token. */
  readonly hasReference: boolean
}

/** The most tokens one inline media part can take: by type and size; null where only the model's limit bounds it. */
export function mediaBoundTokens(mimeType: string, bytes: number): number | null {
  if (STILL_IMAGE.test(mimeType)) return IMAGE_TOKENS_MAX
  if (MP3.test(mimeType)) return Math.ceil(bytes / MP3_TOKEN_BYTES_MIN)
  // A token is at least one byte. Other sound, film and PDF have no such floor: silence and blank pages take no room.
  return PLAIN_TEXT.test(mimeType) ? bytes : null
}

/**
 * The most prompt tokens a request can be billed for (rule 12): a token is at least one byte of its UTF-8 text. Never more
 * than the model reads, where that is known: Google refuses longer prompts and bills nothing for them.
 */
export function promptBoundTokens(size: PromptSize, limit: ModelLimit): number {
  const tokens =
    REQUEST_ALLOWANCE_TOKENS + size.textBytes + size.parts * PART_ALLOWANCE_TOKENS + size.mediaTokens
  if (size.hasReference) return Math.max(limit.inputTokenLimit, limit.isKnown ? 0 : tokens)
  return limit.isKnown ? Math.min(tokens, limit.inputTokenLimit) : tokens
}

/** The output bound of one candidate (rule 13): what the call asks for, else the budgets' default, else the model's limit. */
export function outputBoundTokens(
  maxOutputTokens: number | null,
  defaultMaxOutputTokens: number | null,
  limit: ModelLimit,
): number {
  return maxOutputTokens ?? defaultMaxOutputTokens ?? limit.outputTokenLimit
}

/** What bounds a call. Whole numbers. */
export interface CallBounds extends AskedModalities {
  readonly promptTokensBound: number
  /** Per candidate, thoughts included. */
  readonly outputTokensBound: number
  readonly candidateCount: number
  /** The service tier asked for; null: none. */
  readonly tier: string | null
  /** Tools the call switches on (`toolsUsed`). */
  readonly tools: ReadonlySet<UsedTool>
  /** The strictest ceilings on the path, by tool: fees and tool prompts of one call together. */
  readonly toolCeilingsNanos: Readonly<Partial<Record<UnboundedTool, number>>>
}

/** `unbounded`: the tool that has no bound and no ceiling. `unpriced`: what has no price, in words for a message. */
export type WorstCase =
  | { readonly nanos: number }
  | { readonly unbounded: string }
  | { readonly unpriced: string }

/**
 * The most a call can cost (rule 11), in whole nano-dollars, rounded up. The dearer of the tier asked for and standard, as
 * a priority call may be served as standard; from a prompt bound above 200,000 the dearer of both contexts. Amounts beyond
 * 2^53 are given as `Number.MAX_SAFE_INTEGER`, which no budget can hold.
 */
export function worstCase(bounds: CallBounds, price: Price): WorstCase {
  return worstWith(bounds, price, bounds.outputTokensBound)
}

/** Whether and how far the output limit of a call may be lowered. */
export interface ClampRule {
  /** The strictest policy on the path. */
  readonly policy: BudgetPolicy
  /** A call with a responseSchema is never clamped: half a JSON document is none. */
  readonly hasResponseSchema: boolean
  /** thinkingConfig.thinkingBudget as asked; null: none. */
  readonly thinkingBudget: number | null
  readonly limit: ModelLimit
}

/** Visible output that a clamped call keeps, and its smallest output limit. */
const VISIBLE_TOKENS_MIN = 256
/** Room for one picture of any size: one of 4K takes 2,520 tokens (gemini-wire 6.3: 0.151 at 60.00), and thoughts precede it. */
const PICTURE_TOKENS_MIN = 4096

/**
 * The least a call could be admitted with (rules 13 and 15): its worst case at the smallest output limit it may be clamped
 * to, or its full worst case where it may not be clamped.
 */
export function floorOf(bounds: CallBounds, price: Price, rule: ClampRule): WorstCase {
  return worstWith(bounds, price, outputTokensMin(bounds, rule))
}

export interface Clamped {
  readonly maxOutputTokens: number
  /** The thinkingBudget to send; null: leave it as it is. */
  readonly thinkingBudget: number | null
  /** The worst case with this limit. */
  readonly nanos: number
}

/**
 * Lowers the output limit until the worst case fits into half of what is free; where that is below the smallest limit, the
 * smallest limit if it fits into all of what is free (rules 13 and 15: what its floor fits is not refused). Null where not
 * even that fits, and where the call has no price or bound.
 */
export function clampTo(
  freeNanos: number,
  bounds: CallBounds,
  call: { readonly price: Price; readonly rule: ClampRule },
): Clamped | null {
  const { price, rule } = call
  const least = outputTokensMin(bounds, rule)
  const floor = worstWith(bounds, price, least)
  if (!('nanos' in floor) || floor.nanos > freeNanos) return null
  const halfNanos = Math.floor(freeNanos / 2)
  const most = mostOutputTokens(halfNanos, bounds, price)
  if (most <= least)
    return { maxOutputTokens: least, thinkingBudget: lowered(least, rule), nanos: floor.nanos }
  const worst = worstWith(bounds, price, most)
  if (!('nanos' in worst)) return null
  return { maxOutputTokens: most, thinkingBudget: lowered(most, rule), nanos: worst.nanos }
}

function outputTokensMin(bounds: CallBounds, rule: ClampRule): number {
  if (rule.policy === 'refuse' || rule.hasResponseSchema) return bounds.outputTokensBound
  const visible = bounds.outputModalities.includes('image') ? PICTURE_TOKENS_MIN : VISIBLE_TOKENS_MIN
  const least = Math.max(visible, rule.limit.thinkingBudgetMin + visible)
  return Math.min(bounds.outputTokensBound, least)
}

/** The greatest output limit, at most the call's own bound, whose worst case is at most `nanos`; 0 where none is. */
function mostOutputTokens(nanos: number, bounds: CallBounds, price: Price): number {
  let [fits, tooMuch] = [0, bounds.outputTokensBound + 1]
  while (tooMuch - fits > 1) {
    const middle = fits + Math.floor((tooMuch - fits) / 2)
    const worst = worstWith(bounds, price, middle)
    if ('nanos' in worst && worst.nanos <= nanos) fits = middle
    else tooMuch = middle
  }
  return fits
}

/** A thinkingBudget that leaves room for visible output; null where the one asked for does (0: none, -1: the model's choice). */
function lowered(maxOutputTokens: number, { thinkingBudget, limit }: ClampRule): number | null {
  if (thinkingBudget === null) return null
  const most = Math.max(limit.thinkingBudgetMin, maxOutputTokens - VISIBLE_TOKENS_MIN)
  return thinkingBudget > most ? most : null
}

/** The worst case with another output bound. */
function worstWith(bounds: CallBounds, price: Price, outputTokens: number): WorstCase {
  const tier = tierOf(bounds.tier)
  if (price.units !== null) return worstOfUnits(bounds, price)
  if (!price.isByToken) return { unpriced: `tokens of ${price.model}` }
  const most = tier === null ? null : price.most[tier]
  if (most === null) return { unpriced: `service tier '${bounds.tier ?? 'standard'}'` }
  const { input: inputRates, output: outputRates } =
    bounds.promptTokensBound > SHORT_PROMPT_TOKENS_MAX ? most.long : most.short
  const input = dearestRate(bounds.inputModalities, inputRates)
  const output = outputTokens > 0 ? dearestRate(bounds.outputModalities, outputRates) : 0
  if (input === null || output === null) {
    const [side, modalities] =
      input === null ? ['input', bounds.inputModalities] : ['output', bounds.outputModalities]
    return { unpriced: `${side} of ${modalities.join(', ')}` }
  }
  const picos = bounds.promptTokensBound * input + outputTokens * bounds.candidateCount * output
  const nanos =
    picos <= Number.MAX_SAFE_INTEGER ? nanosUp(picos) : nanosExact({ bounds, input, output, outputTokens })
  return bounds.tools.size === 0 ? { nanos } : withTools(nanos, bounds, price)
}

/** A call that asks for content makes a song of each candidate; films and pictures by the piece are other methods' work. */
function worstOfUnits(bounds: CallBounds, price: Price): WorstCase {
  const song = price.units?.song
  if (song === undefined || tierOf(bounds.tier) !== 'standard')
    return { unpriced: `what ${price.model} makes, in service tier '${bounds.tier ?? 'standard'}'` }
  return withTools(nanosUp(song) * bounds.candidateCount, bounds, price)
}

interface Product {
  readonly bounds: CallBounds
  readonly input: number
  readonly output: number
  readonly outputTokens: number
}

function nanosExact({ bounds, input, output, outputTokens }: Product): number {
  const prompt = BigInt(bounds.promptTokensBound) * BigInt(input)
  return nanosUpExact(prompt + BigInt(outputTokens) * BigInt(bounds.candidateCount) * BigInt(output))
}

/** The dearest rate of the modalities, and of text where it has one; null: one of them has no price. */
function dearestRate(modalities: readonly Modality[], rates: Rates): number | null {
  let dearest = rates.text ?? 0
  for (const modality of modalities) {
    const rate = rates[modality]
    const other = COMES_WITH[modality]
    const otherRate = other === undefined ? rate : rates[other]
    if (rate === null || otherRate === null) return null
    dearest = Math.max(dearest, rate, otherRate)
  }
  return dearest
}

/** Adds what tools can charge: a fee that has a bound, else the operator's ceiling (rule 14). */
function withTools(nanos: number, bounds: CallBounds, price: Price): WorstCase {
  let total = nanos
  for (const tool of bounds.tools) {
    if (tool === 'imageOutput' || tool === 'audioOutput') continue
    if (!isFeeTool(tool)) return { unbounded: toolName(tool) }
    const fee = price.tools[tool]
    if (fee === undefined) return { unpriced: `tool ${tool}` }
    const most = fee.unit === 'prompt' ? nanosUp(fee.picos) : bounds.toolCeilingsNanos[tool]
    if (most === undefined) return { unbounded: tool }
    total += most
  }
  return { nanos: Math.min(total, Number.MAX_SAFE_INTEGER) }
}

function isFeeTool(tool: UsedTool): tool is FeeTool {
  return FEE_TOOLS.some(name => name === tool)
}
