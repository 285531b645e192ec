/** Chance that comes out the same for the same seed, so that a demo looks the same wherever it is shown. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Evenly in `[0, 1)`. */
  next(): number {
    // Mulberry32: 32 bits of state are plenty for something to look at. Nothing secret comes from here.
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }

  /** Chance of its own: however much of it is used, what comes from here stays the same. */
  branch(): Random {
    return new Random(Math.floor(this.next() * 2 ** 32))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** A whole number in `[least, most]`, the small ones more often than the great ones. */
  skewed([least, most]: Range): number {
    return Math.round(least + (most - least) * this.next() ** 2)
  }

  /** A whole number that is `mean` on average. */
  count(mean: number): number {
    const about = mean * (0.85 + 0.3 * this.next())
    return Math.floor(about) + (this.chance(about % 1) ? 1 : 0)
  }

  /** One of the items, each as often as its weight says. */
  pick<T extends { readonly weight: number }>(items: readonly [T, ...T[]]): T {
    let left = this.next() * items.reduce((sum, { weight }) => sum + weight, 0)
    for (const item of items) {
      left -= item.weight
      if (left < 0) return item
    }
    return items[0]
  }

  uuid(): string {
    const hex = Array.from({ length: 32 }, () => Math.floor(this.next() * 16).toString(16)).join('')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
  }
}

/** The least and the most. */
export type Range = readonly [number, number]
