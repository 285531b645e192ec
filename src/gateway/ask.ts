/** What a call wants to hold. */
export interface Ask {
  readonly worstNanos: number
  /** The least it can be admitted with (rule 15); never more than `worstNanos`. */
  readonly floorNanos: number
  /** The largest hold that fits into `freeNanos`, and the output limit that goes with it; null: not even the floor. */
  readonly clampTo: (freeNanos: number) => ClampedHold | null
}

export interface ClampedHold {
  readonly nanos: number
  readonly maxOutputTokens: number
  readonly thinkingBudget: number | null
}
