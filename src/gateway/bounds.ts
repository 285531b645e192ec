/** From what a call asks for to what it can cost: the numbers that admission and settlement share. */
import {
  type CallBounds,
  type ClampRule,
  type WorstCase,
  clampTo,
  floorOf,
  outputBoundTokens,
  promptBoundTokens,
  worstCase,
} from '../domain/bound.ts'
import type { Budget, UnboundedTool } from '../domain/budget.ts'
import { affordableNanos, chargedNanos } from '../domain/cost.ts'
import { ApiError } from '../domain/error.ts'
import type { ModelLimit } from '../domain/model-limits.ts'
import { type AskedModalities, type Modality, type Price, TEXT_ASKED, TEXT_ONLY } from '../domain/price.ts'
import type { UsedTool } from '../domain/tool.ts'
import type { Grant } from './call.ts'
import type { Ask, ClampedHold } from './ask.ts'

/** What of a grant bounds its call. */
type Asking = Pick<Grant, 'demand' | 'tools' | 'method'>

/** What bounds a call, under the budgets of its path. */
export function boundsOf(grant: Asking, limit: ModelLimit, path: readonly Budget[]): CallBounds {
  const { demand, tools, method } = grant
  const isGenerating = method.body === 'generate'
  return {
    promptTokensBound: promptBoundTokens(demand.prompt, inputLimitOf(demand, limit)),
    outputTokensBound: isGenerating
      ? outputBoundTokens(demand.maxOutputTokens, defaultLimit(grant, limit, path), limit)
      : 0,
    candidateCount: demand.candidateCount,
    ...askedModalities(grant),
    tier: demand.tier,
    tools,
    toolCeilingsNanos: ceilingsOf(path),
  }
}

/** What the tokens of a call can be of which the reply does not say it. */
export function askedModalities({ demand, tools }: Asking): AskedModalities {
  const { inputModalities } = demand
  if (inputModalities === TEXT_ONLY && tools.size === 0) return TEXT_ASKED
  return { inputModalities, outputModalities: modalitiesOf(tools) }
}

/** A model reads each request of a batch apart. */
function inputLimitOf({ requests }: Grant['demand'], limit: ModelLimit): ModelLimit {
  return requests === 1 ? limit : { ...limit, inputTokenLimit: limit.inputTokenLimit * requests }
}

/** The strictest rule of a path: any budget that refuses rather than clamps (rule 13). */
export function clampRuleOf(grant: Asking, limit: ModelLimit, path: readonly Budget[]): ClampRule {
  const { hasResponseSchema, thinkingBudget } = grant.demand
  const policy =
    grant.method.body === 'generate' && path.every(budget => budget.policy === 'clamp') ? 'clamp' : 'refuse'
  return { policy, hasResponseSchema, thinkingBudget, limit }
}

/** What a call is charged by: the price list, and the factor of its project's tier. */
interface Charging {
  readonly price: Price
  readonly basisPoints: number
}

/** A call's worst case and floor, as the ledger asks for them. Throws MODEL_UNPRICED and TOOL_UNBOUNDED (400). */
export class BoundedAsk implements Ask {
  readonly worstNanos: number
  /** null: nobody has asked for it. Most calls fit as they are. */
  #floorNanos: number | null = null
  readonly #bounds: CallBounds
  readonly #charge: Charging
  readonly #rule: ClampRule

  constructor(bounds: CallBounds, charge: Charging, rule: ClampRule) {
    const { price, basisPoints } = charge
    this.worstNanos = chargedNanos(nanosOf(worstCase(bounds, price), price), basisPoints)
    this.#bounds = bounds
    this.#charge = charge
    this.#rule = rule
  }

  get floorNanos(): number {
    if (this.#floorNanos === null) {
      const { price, basisPoints } = this.#charge
      const floor = floorOf(this.#bounds, price, this.#rule)
      this.#floorNanos = chargedNanos(nanosOf(floor, price), basisPoints)
    }
    return this.#floorNanos
  }

  get promptTokensBound(): number {
    return this.#bounds.promptTokensBound
  }

  /** The same call with another bound of its prompt. */
  withPromptTokens(promptTokensBound: number): BoundedAsk {
    return new BoundedAsk({ ...this.#bounds, promptTokensBound }, this.#charge, this.#rule)
  }

  clampTo(freeNanos: number): ClampedHold | null {
    if (this.#rule.policy === 'refuse' || this.#rule.hasResponseSchema) return null
    const { price, basisPoints } = this.#charge
    const affordable = affordableNanos(freeNanos, basisPoints)
    const clamped = clampTo(affordable, this.#bounds, { price, rule: this.#rule })
    return clamped === null ? null : { ...clamped, nanos: chargedNanos(clamped.nanos, basisPoints) }
  }
}

function nanosOf(worst: WorstCase, price: Price): number {
  if ('nanos' in worst) return worst.nanos
  if ('unbounded' in worst) {
    throw new ApiError(
      'TOOL_UNBOUNDED',
      `What ${worst.unbounded} can cost has no bound, and a budget applies to this key. Leave it out, or have the ` +
        "budget's operator set a ceiling per call for it.",
      { metadata: { tool: worst.unbounded } },
    )
  }
  throw unpriced(`${price.model}: no price is known for ${worst.unpriced}`)
}

/** A budget cannot count what has no price. */
export function unpriced(what: string): ApiError {
  return new ApiError(
    'MODEL_UNPRICED',
    `A budget applies to this key, and ${what}. Call a model with a known price, or use a key ` +
      'without a budget.',
  )
}

function modalitiesOf(tools: ReadonlySet<UsedTool>): readonly Modality[] {
  if (tools.size === 0) return TEXT_ONLY
  const modalities: Modality[] = ['text']
  if (tools.has('imageOutput')) modalities.push('image')
  if (tools.has('audioOutput')) modalities.push('audio')
  return modalities
}

/**
 * The output limit that the budgets set for a call which names none: the least of their defaults. It bounds the call only
 * if it is sent along. Null: the call names one, or no default is below the model's own limit.
 */
export function defaultLimit(grant: Asking, limit: ModelLimit, path: readonly Budget[]): number | null {
  if (grant.demand.maxOutputTokens !== null || grant.method.body !== 'generate') return null
  let least: number | null = null
  for (const { defaultMaxOutputTokens: tokens } of path) {
    if (tokens !== null && tokens < (least ?? limit.outputTokenLimit)) least = tokens
  }
  return least
}

const NO_CEILINGS: CallBounds['toolCeilingsNanos'] = {}

/** The least of the ceilings on the path, tool by tool. A budget without one has none to say. */
function ceilingsOf(path: readonly Budget[]): CallBounds['toolCeilingsNanos'] {
  let least: Partial<Record<UnboundedTool, number>> | null = null
  for (const { toolCeilingsNanos } of path) {
    // Most have none: `Object.entries` would make a list to find that out, for each budget of each call.
    for (const name in toolCeilingsNanos) {
      const tool = name as UnboundedTool
      least ??= {}
      least[tool] = Math.min(least[tool] ?? Infinity, toolCeilingsNanos[tool] ?? Infinity)
    }
  }
  return least ?? NO_CEILINGS
}
