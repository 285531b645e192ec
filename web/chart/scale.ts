/** The numbers beside a chart. */

/** Steps between lines that people read at a glance, times a power of ten. */
const STEPS = [1, 2, 2.5, 5, 10]

/** From 0 upwards, about `count` lines apart by a round number; the last one is not below `max`. */
export function ticksTo(max: number, count = 4): readonly number[] {
  if (!(max > 0)) return [0, 1]
  const rough = max / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * (STEPS.find(step => step * power >= rough) ?? 10)
  const lines = Math.ceil(max / step)
  return Array.from({ length: lines + 1 }, (_, line) => line * step)
}

/** The places of at most `max` labels among `count`, evenly apart, beginning with the first. */
export function labelPlaces(count: number, max: number): readonly number[] {
  const step = Math.max(1, Math.ceil(count / Math.max(1, max)))
  return Array.from({ length: Math.ceil(count / step) }, (_, place) => place * step)
}
