/** Calls that budgets refused as the rest of the program sees them. */
import type { CapHits, PeriodCapHits } from '../domain/cap-hit.ts'

/** Which hits: of budgets that hang there; without a place, of all. */
export interface CapHitQuery {
  readonly projectNumber?: string
  readonly lineage?: string
  readonly limit: number
}

/** Calls that budgets refused: counted, not recorded one by one. */
export interface CapHitStore {
  /** Adds to what is counted, whoever counted it. Hits of budgets that are not there are forgotten. */
  add(hits: readonly CapHits[]): Promise<void>
  /** Those of the last 400 days, the last first. */
  list(query: CapHitQuery): Promise<readonly PeriodCapHits[]>
}
