/** Money on the screen: rounded where it is read, exact where it is copied. */
import { formatUsd } from '../../src/domain/money.ts'

/** Dollars with as many decimals as it takes to be no zero, two at least: `$12.50`, `$0.0004`. */
export function shownDollars(nanos: string | bigint): string {
  const exact = formatUsd(BigInt(nanos))
  const [whole = '0', decimals = ''] = exact.split('.')
  if (whole !== '0' && whole !== '-0') return `$${group(whole)}.${decimals.slice(0, 2)}`
  const firstDigit = decimals.search(/[1-9]/)
  return `$${whole}.${decimals.slice(0, Math.max(2, firstDigit + 2))}`
}

/** Every digit. */
export function exactDollars(nanos: string | bigint): string {
  return `$${formatUsd(BigInt(nanos))}`
}

function group(digits: string): string {
  return digits.replaceAll(/\B(?=(?:\d{3})+$)/g, ',')
}
