/** A tier in the form: its limits as a grid of texts, what it allows as the form of a key has it. */
import { EACH_MODEL, QUOTA_METRICS, type QuotaMetric } from '../../src/domain/quota.ts'
import {
  assertQuotaIdSuffix,
  assertTierDisplayName,
  assertTierId,
  parsePriceFactor,
  parseQuotaLimits,
  parseSpendCap,
} from '../../src/domain/quota-fields.ts'
import { formatUsd, parseUsd } from '../../src/domain/money.ts'
import { EMPTY_DRAFT, type KeyDraft, linesOf, problemsOf } from '../keys/draft.ts'
import { problemOf } from '../keys/problem.ts'
import { gridOf, modelText } from './metrics.ts'
import type { TierInput, TierJson } from './queries.ts'

export interface GridLine {
  /** `*`: each other model; empty: all together. */
  readonly model: string
  /** As it is typed; absent or empty: no limit here. */
  readonly values: Readonly<Partial<Record<QuotaMetric, string>>>
}

export interface TierDraft {
  readonly id: string
  readonly displayName: string
  readonly quotaIdSuffix: string
  readonly lines: readonly GridLine[]
  /** Dollars a month for each project; empty: no cap of the tier. */
  readonly spendCap: string
  /** What its calls are booked at, as a multiple of their price; empty: 1. */
  readonly priceFactor: string
  /** Models, methods and tools alone count. */
  readonly access: KeyDraft
}

export const EMPTY_TIER: TierDraft = {
  id: '',
  displayName: '',
  quotaIdSuffix: '',
  lines: [{ model: EACH_MODEL, values: {} }],
  spendCap: '',
  priceFactor: '',
  access: EMPTY_DRAFT,
}

export function draftOf(tier: TierJson): TierDraft {
  const { name, displayName = '', quotaIdSuffix = '', limits = [] } = tier
  const { allowedModels, allowedMethods, allowedTools, spendCap, priceFactor } = tier
  return {
    id: name.slice(name.lastIndexOf('/') + 1),
    displayName,
    quotaIdSuffix,
    lines: gridOf(limits).map(({ model, cells }) => ({
      model,
      values: Object.fromEntries(Array.from(cells, ([metric, { value }]) => [metric, value])),
    })),
    spendCap: spendCap === undefined || spendCap === null ? '' : formatUsd(BigInt(spendCap)),
    priceFactor: priceFactor ?? '',
    access: {
      ...EMPTY_DRAFT,
      models: (allowedModels ?? []).join('\n'),
      methods: allowedMethods ?? [],
      tools: allowedTools ?? null,
    },
  }
}

const FIELDS = [
  'displayName',
  'quotaIdSuffix',
  'limits',
  'allowedModels',
  'allowedMethods',
  'allowedTools',
  'spendCap',
  'priceFactor',
] as const

/** Every field that the form has. */
export function bodyOf({ displayName, quotaIdSuffix, lines, spendCap, priceFactor, access }: TierDraft) {
  const capNanos = parseUsd(spendCap.trim())
  const models = linesOf(access.models)
  return {
    displayName: displayName.trim(),
    quotaIdSuffix: quotaIdSuffix.trim(),
    limits: lines.flatMap(({ model, values }) =>
      QUOTA_METRICS.flatMap(metric => {
        const value = values[metric]?.trim() ?? ''
        return value === '' ? [] : [{ metric, ...(model === '' ? {} : { model }), value }]
      }),
    ),
    allowedModels: models.length === 0 ? null : [...models],
    allowedMethods: access.methods.length === 0 ? null : [...access.methods],
    allowedTools: access.tools === null ? null : [...access.tools],
    spendCap: capNanos === null ? null : String(capNanos),
    priceFactor: priceFactor.trim() === '' ? null : priceFactor.trim(),
  } satisfies TierInput
}

/** The fields that differ: what the form did not touch, or does not know, stays as it is. */
export function patchOf(before: TierDraft, after: TierDraft): TierInput {
  const [was, is] = [bodyOf(before), bodyOf(after)]
  const changed = FIELDS.filter(field => JSON.stringify(was[field]) !== JSON.stringify(is[field]))
  return Object.fromEntries(changed.map(field => [field, is[field]]))
}

export type TierProblems = Readonly<
  Record<
    'id' | 'displayName' | 'quotaIdSuffix' | 'limits' | 'models' | 'spendCap' | 'priceFactor',
    string | null
  >
>

/** What the server would refuse, said while it is typed. */
export function tierProblems(draft: TierDraft): TierProblems {
  return {
    id: draft.id === '' ? null : problemOf(() => assertTierId(draft.id)),
    displayName: problemOf(() => assertTierDisplayName(draft.displayName.trim())),
    quotaIdSuffix: problemOf(() => assertQuotaIdSuffix(draft.quotaIdSuffix.trim())),
    limits: limitsProblem(draft),
    spendCap:
      draft.spendCap.trim() !== '' && parseUsd(draft.spendCap.trim()) === null
        ? 'Write dollars in digits, such as 10.00, with nine decimals at most.'
        : problemOf(() => parseSpendCap(bodyOf(draft).spendCap)),
    priceFactor: problemOf(() => parsePriceFactor(bodyOf(draft).priceFactor)),
    models: problemsOf({ ...draft.access, name: 'tier' }, 0).models,
  }
}

/** A limit that is wrong is named by its model, since the grid has no numbered lines. */
function limitsProblem({ lines }: TierDraft): string | null {
  if (new Set(lines.map(({ model }) => model)).size < lines.length) return 'Name each model once.'
  for (const { model, values } of lines) {
    const { limits } = bodyOf({ ...EMPTY_TIER, lines: [{ model, values }] })
    const problem = problemOf(() => parseQuotaLimits(limits, 'limits'))
    if (problem !== null) return `${modelText(model)}: ${problem.replace(/^Line \d+: /, '')}`
  }
  return null
}
