/** Buckets that one should look at. */

/** So many times the usual is a spike, */
const TIMES = 3
/** if there are this many others to say what is usual. */
const OTHERS_MIN = 5

/**
 * For each value how many times the usual it is, where it is a spike: at least three times the median of all values that
 * are not 0, of which there must be six. null: it is none.
 */
export function spikesOf(values: readonly number[]): readonly (number | null)[] {
  const used = values.filter(value => value > 0).sort((one, other) => one - other)
  const median = used[Math.floor((used.length - 1) / 2)]
  if (median === undefined || used.length <= OTHERS_MIN) return values.map(() => null)
  return values.map(value => (value >= TIMES * median ? value / median : null))
}
