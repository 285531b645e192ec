/** How much a model reads and writes: what bounds a call that names no limit of its own (MONEY.md rules 12 and 13). */

export interface ModelLimit {
  readonly inputTokenLimit: number
  /** Of one candidate, thoughts included. */
  readonly outputTokenLimit: number
  /** The least thinkingBudget the model takes beside 0; 0 where it takes none or any. */
  readonly thinkingBudgetMin: number
  /** False: the model is not in the data, and these are the defaults. */
  readonly isKnown: boolean
}

/** One row of `prices/models.json`. */
export interface ModelLimitRow {
  readonly models: readonly string[]
  readonly inputTokenLimit: number
  readonly outputTokenLimit: number
  readonly thinkingBudgetMin: number
}

/**
 * For models not in the data: the limits of most text models (gemini-wire 2.6), and the greatest of the smallest thinking
 * budgets that Gemini Pro models have. A newer model may write more: then its calls need a maxOutputTokens.
 */
export const DEFAULT_MODEL_LIMIT: ModelLimit = {
  inputTokenLimit: 1_048_576,
  outputTokenLimit: 65_536,
  thinkingBudgetMin: 128,
  isKnown: false,
}

/** Models of this family write up to a million tokens; one that is not in the data yet must not be bound too low. */
const LONG_WRITERS = /^gemini-4(?:[.-]|$)/
const LONG_OUTPUT_TOKENS = 1_048_576

/** Limits by exact model id, without `models/`. */
export class ModelLimits {
  readonly #limits = new Map<string, ModelLimit>()

  constructor(rows: readonly ModelLimitRow[]) {
    for (const { models, inputTokenLimit, outputTokenLimit, thinkingBudgetMin } of rows) {
      const limit = { inputTokenLimit, outputTokenLimit, thinkingBudgetMin, isKnown: true }
      for (const model of models) this.#limits.set(model, limit)
    }
  }

  /** The limits of a model; the defaults where it is not known, with a million tokens of output for any `gemini-4`. */
  find(modelId: string): ModelLimit {
    const limit = this.#limits.get(modelId)
    if (limit !== undefined) return limit
    return LONG_WRITERS.test(modelId) ? LONG_WRITER_LIMIT : DEFAULT_MODEL_LIMIT
  }
}

const LONG_WRITER_LIMIT: ModelLimit = { ...DEFAULT_MODEL_LIMIT, outputTokenLimit: LONG_OUTPUT_TOKENS }
