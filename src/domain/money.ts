/** Amounts of money: whole nano-dollars (google.type.Money's nanos) and how people write them. */
import { CAP_NANOS_MAX } from './budget.ts'

const NANO_DIGITS = 9
const NANOS_PER_USD = 1_000_000_000
const USD = /^(\d{1,9})(?:\.(\d{1,30}))?$/

/**
 * Reads an amount in dollars, e.g. `1.00` or `0.000000001`, as whole nano-dollars. Null for what is no plain decimal
 * (signs, exponents, currency symbols, blanks), for fractions of a nano-dollar and for more than `CAP_NANOS_MAX`.
 */
export function parseUsd(text: string): number | null {
  const match = USD.exec(text)
  if (match === null) return null
  const [, dollars = '', decimals = ''] = match
  const fraction = decimals.replace(/0+$/, '')
  if (fraction.length > NANO_DIGITS) return null
  const nanos = Number(dollars) * NANOS_PER_USD + Number(fraction.padEnd(NANO_DIGITS, '0'))
  return nanos <= CAP_NANOS_MAX ? nanos : null
}

/**
 * Whole nano-dollars as dollars for people: exact, at least two decimals, no currency sign, e.g. `1.00`, `0.0000375`,
 * `-2.50`. `parseUsd` reads back what is not negative.
 */
export function formatUsd(nanos: number | bigint): string {
  const amount = BigInt(nanos)
  const digits = (amount < 0n ? -amount : amount).toString().padStart(NANO_DIGITS + 1, '0')
  const decimals = digits.slice(-NANO_DIGITS).replace(/0+$/, '').padEnd(2, '0')
  return `${amount < 0n ? '-' : ''}${digits.slice(0, -NANO_DIGITS)}.${decimals}`
}
