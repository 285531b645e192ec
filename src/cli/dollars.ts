/** Money on the command line: dollars for people, decimal strings of nano-dollars in the API. */
import { InvalidArgumentError } from 'commander'
import { CAP_NANOS_MAX, UNBOUNDED_TOOLS, type UnboundedTool } from '../domain/budget.ts'
import { formatUsd, parseUsd } from '../domain/money.ts'
import { pairs } from './flags.ts'

/** Nano-dollars as the API has them. */
const NANOS = /^\d{1,30}$/

/** Dollars such as `1.00`, up to nine million, as the API's nano-dollars. */
export function nanosOfUsd(text: string): string {
  const nanos = parseUsd(text)
  if (nanos !== null) return String(nanos)
  throw new InvalidArgumentError(
    `Write dollars in decimal digits, such as 1.00: not negative, at most nine places, at most ${formatUsd(CAP_NANOS_MAX)}.`,
  )
}

/** `TOOL=DOLLARS`; commas and repetition: one map. */
export function toolCeilings(
  text: string,
  before: Readonly<Partial<Record<UnboundedTool, string>>> = {},
): Readonly<Partial<Record<UnboundedTool, string>>> {
  const ceilings = Object.entries(pairs(text)).map(([name, dollars]) => {
    const tool = UNBOUNDED_TOOLS.find(tool => tool === name)
    if (tool === undefined)
      throw new InvalidArgumentError(`'${name}' is none of ${UNBOUNDED_TOOLS.join(', ')}.`)
    return [tool, nanosOfUsd(dollars)] as const
  })
  return { ...before, ...Object.fromEntries(ceilings) }
}

/** An amount of the API in dollars; as it is where it is none. */
export function shownUsd(nanos: string): string {
  return NANOS.test(nanos) ? `$${formatUsd(BigInt(nanos))}` : nanos
}

/** The sum of amounts of the API, which may pass 2^53. */
export function sumOfNanos(amounts: readonly string[]): string {
  return String(amounts.reduce((sum, nanos) => (NANOS.test(nanos) ? sum + BigInt(nanos) : sum), 0n))
}
