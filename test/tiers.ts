/** A tier that says nothing. */
import type { TierDraft } from '../src/storage/quota-store.ts'

export const EMPTY_TIER: TierDraft = {
  displayName: '',
  quotaIdSuffix: '',
  limits: [],
  allowedModels: null,
  allowedMethods: null,
  allowedTools: null,
  spendCapNanos: null,
  priceBasisPoints: 10_000,
}
