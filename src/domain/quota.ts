/**
 * Rate quotas as Google has them (gemini-wire section 5): how much a project, or one of its keys, may do in a window of
 * time. Windows are fixed, as Google's are: minutes of UTC, and days that begin at midnight of a time zone.
 */

import type { AllowedTool } from './key.ts'

/** What a limit counts. */
export const QUOTA_METRICS = [
  'requestsPerMinute',
  'inputTokensPerMinute',
  'requestsPerDay',
  'imagesPerMinute',
  'requestBytesPerDay',
  'concurrentCalls',
] as const
export type QuotaMetric = (typeof QUOTA_METRICS)[number]

/** `slots`: no window, but what is in use at the same time. */
export type QuotaWindow = 'minute' | 'day' | 'slots'

export const WINDOW_OF: Readonly<Record<QuotaMetric, QuotaWindow>> = {
  requestsPerMinute: 'minute',
  inputTokensPerMinute: 'minute',
  requestsPerDay: 'day',
  imagesPerMinute: 'minute',
  requestBytesPerDay: 'day',
  concurrentCalls: 'slots',
}

/** Each model that has no limit of its own for the metric, counted apart: Google's way. */
export const EACH_MODEL = '*'
/** No limit, where a wider one would apply (google.api.QuotaLimit, `values`). */
export const UNLIMITED = -1
export const QUOTA_VALUE_MAX = 1_000_000_000_000_000
/** Limits that one project, one key or one tier may have. */
export const QUOTA_LIMITS_MAX = 500

export interface QuotaLimit {
  readonly metric: QuotaMetric
  /** A model id after alias; `*`: each model; null: all models together. */
  readonly model: string | null
  /** Whole; 0 lets nothing through, -1 everything. */
  readonly value: number
}

/** A named set of what projects may do. */
export interface Tier {
  /** `free`, `tier-1` or the operator's own. */
  readonly id: string
  readonly displayName: string
  /** What ends the quota ids of its limits in errors: `FreeTier`, `PaidTier2`; empty: nothing. */
  readonly quotaIdSuffix: string
  readonly limits: readonly QuotaLimit[]
  /** Model ids or `prefix*`; null: every model. */
  readonly allowedModels: readonly string[] | null
  /** Method names as an API target of a key has them; null: every method. */
  readonly allowedMethods: readonly string[] | null
  /** null: every tool. */
  readonly allowedTools: readonly AllowedTool[] | null
  /** What each of its projects may spend in a month; null: no cap of the tier's. */
  readonly spendCapNanos: number | null
  /** What its projects are charged, in ten-thousandths of the price (`chargedNanos`). */
  readonly priceBasisPoints: number
  /** What it came from and when, for what is shipped; empty for an operator's own. */
  readonly source: string
}

/** A tier as the operator keeps it. */
export interface StoredTier extends Tier {
  readonly etag: string
  readonly createTimeMs: number
  readonly updateTimeMs: number
}

/** Everything that decides the limits of a key's calls. */
export interface QuotaGrant {
  /** The operator's tier of the project's tier id; null: there is none, so the shipped one counts. */
  readonly tier: Tier | null
  readonly projectLimits: readonly QuotaLimit[]
  readonly keyLimits: readonly QuotaLimit[]
}

/** One number that is counted, and what it may reach. */
export interface QuotaCounter {
  /** Unique, and the same on every node. Starts with the project in braces: they share a slot of a Redis cluster. */
  readonly id: string
  readonly scope: 'project' | 'key'
  readonly metric: QuotaMetric
  readonly window: QuotaWindow
  /** The model that is counted; null: all together. */
  readonly model: string | null
  readonly limit: number
  /** Of the tier that the limit is from; empty for one of the project or key. */
  readonly quotaIdSuffix: string
}

/** An amount that a call takes from a counter. */
export interface QuotaTake {
  readonly counter: QuotaCounter
  readonly amount: number
}

/** What was taken, all of it, until it is released. */
export interface QuotaAllocation {
  readonly callId: string
  readonly takes: readonly QuotaTake[]
  /** What tells the window of each take from others of its counter; the store's to read. */
  readonly windows: readonly number[]
}

export interface QuotaRefusal {
  readonly counter: QuotaCounter
  readonly amount: number
  readonly used: number
  /** Until the window ends; 0 for slots. */
  readonly resetInMs: number
}

/** All takes or none. `unenforced`: the store could not be asked, and the call is let through uncounted. */
export type QuotaAnswer =
  | { readonly kind: 'granted'; readonly allocation: QuotaAllocation }
  | { readonly kind: 'refused'; readonly refusals: readonly QuotaRefusal[] }
  | { readonly kind: 'unenforced' }

/** Where a counter stands now. */
export interface QuotaReading {
  readonly used: number
  /** Epoch ms; null for slots. */
  readonly resetTimeMs: number | null
}

interface Source {
  readonly scope: QuotaCounter['scope']
  /** What the ids of its counters start with. */
  readonly idPrefix: string
  readonly limits: readonly (QuotaLimit & { readonly quotaIdSuffix: string })[]
}

/** Models whose counters are remembered. */
const MODELS_KNOWN_MAX = 64

/** The counters of a key's calls, by model. Compiled once for each version of a key and its project. */
export class QuotaRules {
  readonly #sources: readonly Source[]
  readonly #known = new Map<string, readonly QuotaCounter[]>()

  constructor(sources: readonly Source[]) {
    this.#sources = sources
  }

  /** The counters of a call to this model, each with its limit. */
  countersOf(model: string): readonly QuotaCounter[] {
    let counters = this.#known.get(model)
    if (counters === undefined) {
      counters = this.#sources.flatMap(source => countersFrom(source, model))
      if (this.#known.size === MODELS_KNOWN_MAX) this.#known.clear()
      this.#known.set(model, counters)
    }
    return counters
  }

  /** Models that have a limit of their own. */
  get models(): ReadonlySet<string> {
    const models = this.#sources.flatMap(({ limits }) => limits.map(({ model }) => model ?? EACH_MODEL))
    return new Set(models.filter(model => model !== EACH_MODEL))
  }
}

/** Whose calls are counted: the key by its lineage, so that a rotated successor goes on counting (M8). */
export interface QuotaOwner {
  readonly projectNumber: string
  readonly lineage: string
}

/**
 * The rules of a key: its project's limits, which replace those of the tier for the same metric and model, and its own.
 * Null where there is no limit at all.
 */
export function quotaRules(
  { projectNumber, lineage }: QuotaOwner,
  { tier, projectLimits, keyLimits }: QuotaGrant,
): QuotaRules | null {
  const ofTier = tier === null ? [] : limitsOf(tier.limits, tier.quotaIdSuffix)
  const sources: Source[] = [
    {
      scope: 'project',
      idPrefix: `{${projectNumber}}`,
      // The first of a metric and model is the one that counts.
      limits: [...limitsOf(projectLimits, ''), ...ofTier],
    },
    {
      scope: 'key',
      idPrefix: `{${projectNumber}}:${lineage}`,
      limits: limitsOf(keyLimits, ''),
    },
  ]
  const limited = sources.filter(({ limits }) => limits.length > 0)
  return limited.length === 0 ? null : new QuotaRules(limited)
}

function limitsOf(limits: readonly QuotaLimit[], quotaIdSuffix: string): Source['limits'] {
  return limits.map(limit => ({ ...limit, quotaIdSuffix }))
}

/** For each metric: the limit of the model, else that of each model; and the one of all models together. */
function countersFrom({ scope, idPrefix, limits }: Source, model: string): QuotaCounter[] {
  return QUOTA_METRICS.flatMap(metric => {
    const ofMetric = limits.filter(limit => limit.metric === metric)
    const apart =
      ofMetric.find(limit => limit.model === model) ?? ofMetric.find(limit => limit.model === EACH_MODEL)
    const together = ofMetric.find(limit => limit.model === null)
    return [apart, together].flatMap(limit => {
      if (limit === undefined || limit.value === UNLIMITED) return []
      const counted = limit.model === null ? null : model
      return {
        id: `${idPrefix}:${metric}:${counted ?? ''}`,
        scope,
        metric,
        window: WINDOW_OF[metric],
        model: counted,
        limit: limit.value,
        quotaIdSuffix: limit.quotaIdSuffix,
      }
    })
  })
}
