/** Money on the screen: rounded half to even where it is read, exact where it is copied. */
import { formatUsd } from '../../src/domain/money.ts'

const CENT_DECIMALS = 2
const NANO_DECIMALS = 9
const NANOS_PER_USD = 10n ** BigInt(NANO_DECIMALS)

/** To the cent, and below a dollar to as many decimals as two digits take: `$12.50`, `$0.0004`. Zero is `$0.00`. */
export function shownDollars(nanos: string | bigint): string {
  const amount = BigInt(nanos)
  return dollars(rounded(amount, decimalsOf(amount)))
}

export interface BudgetAmounts {
  /** Nano-dollars. */
  readonly cap: bigint
  readonly posted: bigint
  readonly held: bigint
}

/**
 * Amounts that stand together: all to the decimals that the finest of them takes, and what is free is what the others, as
 * they are shown, leave of the cap; nothing where they pass it.
 */
export function shownBudget({ cap, posted, held }: BudgetAmounts) {
  const left = cap - posted - held
  const decimals = Math.max(...[cap, posted, held, left].map(decimalsOf))
  const [shownCap, shownPosted, shownHeld] = [
    rounded(cap, decimals),
    rounded(posted, decimals),
    rounded(held, decimals),
  ]
  const free = shownCap - shownPosted - shownHeld
  return {
    cap: dollars(shownCap),
    posted: dollars(shownPosted),
    held: dollars(shownHeld),
    free: dollars(free > 0n ? free : 0n),
  }
}

/** Every digit. */
export function exactDollars(nanos: string | bigint): string {
  return dollars(BigInt(nanos), String)
}

/** How many decimals show a cent, or of what is below a dollar two digits. */
function decimalsOf(nanos: bigint): number {
  const amount = magnitude(nanos)
  if (amount === 0n || amount >= NANOS_PER_USD) return CENT_DECIMALS
  const leadingZeros = NANO_DECIMALS - String(amount).length
  return Math.min(NANO_DECIMALS, leadingZeros + CENT_DECIMALS)
}

function rounded(nanos: bigint, decimals: number): bigint {
  const unit = 10n ** BigInt(NANO_DECIMALS - decimals)
  const amount = magnitude(nanos)
  const [whole, rest] = [amount / unit, (amount % unit) * 2n]
  const isUp = rest > unit || (rest === unit && whole % 2n === 1n)
  return (nanos < 0n ? -unit : unit) * (whole + (isUp ? 1n : 0n))
}

function dollars(nanos: bigint, whole: (digits: string) => string = group): string {
  const [digits = '0', decimals = ''] = formatUsd(magnitude(nanos)).split('.')
  return `${nanos < 0n ? '-' : ''}$${whole(digits)}.${decimals}`
}

function magnitude(nanos: bigint): bigint {
  return nanos < 0n ? -nanos : nanos
}

function group(digits: string): string {
  return digits.replaceAll(/\B(?=(?:\d{3})+$)/g, ',')
}
