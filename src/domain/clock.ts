/**
 * How far a node's clock may be from the database's, or be set back where that has none of its own, ms: keys expire, prices
 * hold and usage is dated by it. A start is refused beyond it, and so are calls when it happens later.
 */
export const CLOCK_SKEW_MAX_MS = 30_000
