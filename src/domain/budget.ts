/**
 * Budgets: caps on what a key, a project or the organization may spend in a period (MONEY.md rules 1 to 4). Amounts are
 * whole nano-dollars. Every cap is at most `CAP_NANOS_MAX`, so that no sum a budget can hold passes 2^53.
 */

/** `tier`: of a project, too, but its tier says the cap, and the tier alone changes it. */
export const BUDGET_SCOPES = ['organization', 'project', 'tier', 'key'] as const
export type BudgetScope = (typeof BUDGET_SCOPES)[number]

/** `day` and `month` are those of the organization's time zone; `total` never ends. */
export const BUDGET_PERIODS = ['month', 'day', 'total'] as const
export type BudgetPeriod = (typeof BUDGET_PERIODS)[number]

/** What happens to a call whose worst case does not fit: its output limit is lowered, or it is refused (rule 13). */
export const BUDGET_POLICIES = ['clamp', 'refuse'] as const
export type BudgetPolicy = (typeof BUDGET_POLICIES)[number]

/** Nine million dollars. */
export const CAP_NANOS_MAX = 9_000_000_000_000_000

/** Tools whose charge per call has no bound of its own: refused under a budget without a ceiling (rule 14). */
export const UNBOUNDED_TOOLS = ['googleSearch', 'googleMaps', 'codeExecution', 'urlContext'] as const
export type UnboundedTool = (typeof UNBOUNDED_TOOLS)[number]

/** A cap on what one scope may spend in one kind of period; one budget per pair. */
export interface Budget {
  /** UUID, never reused. */
  readonly uid: string
  readonly scope: BudgetScope
  /** null at the organization. */
  readonly projectNumber: string | null
  /** The key's lineage, shared with its rotated successors; null above a key. */
  readonly lineage: string | null
  readonly period: BudgetPeriod
  readonly capNanos: number
  readonly policy: BudgetPolicy
  /** The output limit of a call that names none; null: the model's own. */
  readonly defaultMaxOutputTokens: number | null
  /** The most one call may spend on a tool that has no bound, by tool. */
  readonly toolCeilingsNanos: Readonly<Partial<Record<UnboundedTool, number>>>
  /** Set after a call cost more than it held: no call is admitted until the overrun is acknowledged (rule 19). */
  readonly frozenTimeMs: number | null
  readonly etag: string
  readonly createTimeMs: number
  readonly updateTimeMs: number
}

/** What one budget holds in one of its periods. `posted` includes what open allotments have settled. */
export interface BudgetBalance {
  /** The row that records name in their `ledger`; null until somebody asked for money of the period. */
  readonly rowId: number | null
  readonly periodStartMs: number
  /** null: never. */
  readonly periodEndMs: number | null
  readonly postedNanos: number
  /** Money that nodes hold for calls and have not settled. */
  readonly allottedNanos: number
  /** Cost above what calls had held and what still fitted. */
  readonly overrunNanos: number
}

/** A budget with the balance of its current period. */
export interface BudgetStatus extends Budget {
  readonly balance: BudgetBalance
}
