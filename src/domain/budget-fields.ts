/** What the fields of a Budget may hold. Every function throws FIELD_INVALID naming its field. */
import {
  BUDGET_PERIODS,
  type Budget,
  type BudgetPeriod,
  type BudgetStatus,
  CAP_NANOS_MAX,
  UNBOUNDED_TOOLS,
} from './budget.ts'
import { invalidField } from './error.ts'

/** maxOutputTokens is an int32 (generativelanguage v1beta, GenerationConfig). */
const OUTPUT_TOKENS_MAX = 2_147_483_647
/** Longer than any amount, short enough to be read without a thought. */
const DIGITS = /^\d{1,30}$/

export type BudgetState = 'ACTIVE' | 'FROZEN' | 'EXHAUSTED'

/** Whole nano-dollars of a decimal string, 0 to `CAP_NANOS_MAX`; 0 lets nothing be spent. */
export function parseCap(text: string, field = 'budget.cap'): number {
  return parseNanos(text, field)
}

/** Tool -> most that one call may spend on it, each above 0. */
export function parseToolCeilings(ceilings: Readonly<Record<string, string>>): Budget['toolCeilingsNanos'] {
  const entries = Object.entries(ceilings).map(([name, text]) => {
    const field = `budget.toolCeilings.${name}`
    const tool = UNBOUNDED_TOOLS.find(tool => tool === name)
    if (tool === undefined)
      throw invalidField('budget.toolCeilings', `tools are ${UNBOUNDED_TOOLS.join(', ')}`)
    const nanos = parseNanos(text, field)
    // A ceiling of nothing would let the tool in and hold no money for it.
    if (nanos === 0) throw invalidField(field, 'must be above 0; leave the tool out to refuse it')
    return [tool, nanos] as const
  })
  return Object.fromEntries(entries)
}

/** A number of tokens, 1 to 2^31 - 1. */
export function assertDefaultMaxOutputTokens(tokens: number): void {
  if (Number.isSafeInteger(tokens) && tokens >= 1 && tokens <= OUTPUT_TOKENS_MAX) return
  throw invalidField('budget.defaultMaxOutputTokens', `use a whole number from 1 to ${OUTPUT_TOKENS_MAX}`)
}

/** The period that an id names; null where it names none. */
export function parseBudgetPeriod(id: string): BudgetPeriod | null {
  return BUDGET_PERIODS.find(period => period === id) ?? null
}

/** What a call meets: a freeze outweighs an empty budget. */
export function budgetState({ frozenTimeMs, capNanos, balance }: BudgetStatus): BudgetState {
  if (frozenTimeMs !== null) return 'FROZEN'
  return balance.postedNanos >= capNanos ? 'EXHAUSTED' : 'ACTIVE'
}

/** Nano-dollars that are neither posted nor allotted; 0 where the cap was lowered below both. */
export function freeNanos({ capNanos, balance }: Pick<BudgetStatus, 'capNanos' | 'balance'>): number {
  return Math.max(0, capNanos - balance.postedNanos - balance.allottedNanos)
}

function parseNanos(text: string, field: string): number {
  if (text.startsWith('-')) throw invalidField(field, 'must not be negative')
  if (!DIGITS.test(text)) {
    throw invalidField(field, 'use whole nano-dollars in decimal digits: "1000000000" is one dollar')
  }
  // As bigint: as a number, an amount above 2^53 could round down to one that is allowed.
  const nanos = BigInt(text)
  if (nanos > BigInt(CAP_NANOS_MAX))
    throw invalidField(field, `must be at most ${CAP_NANOS_MAX} nano-dollars`)
  return Number(nanos)
}
