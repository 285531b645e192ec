/** What `pollux prices set` changes of a price: dollars as the price list writes them. */
import { type Command, InvalidArgumentError } from 'commander'
import type { ResponseOf } from '../contract/endpoint.ts'
import type { PRICES_V1 } from '../contract/prices.v1.ts'
import { BILLED_UNITS, FEE_TOOLS, MODALITIES } from '../domain/price.ts'
import { instant, pairs } from './flags.ts'

export type PriceFields = ResponseOf<typeof PRICES_V1.getPrice>['fields']

/** A number for every modality that has a price, or numbers by name. */
export type RateFlag = number | Readonly<Record<string, number>>

export interface PriceFlags {
  readonly input?: RateFlag
  readonly cached?: RateFlag
  readonly output?: RateFlag
  readonly inputOver200k?: RateFlag
  readonly cachedOver200k?: RateFlag
  readonly outputOver200k?: RateFlag
  readonly cacheStorage?: number
  readonly batchFactor?: number
  readonly flexFactor?: number
  readonly priorityFactor?: number
  readonly tool?: Readonly<Record<string, number>>
  readonly unit?: Readonly<Record<string, number>>
  readonly note?: string
  readonly from?: string
}

export const RATE_FLAGS = [
  ['input', 'prompt tokens'],
  ['cached', 'cached prompt tokens'],
  ['output', 'output, thoughts included'],
  ['inputOver200k', 'the same of prompts above 200,000 tokens'],
  ['cachedOver200k', 'the same of prompts above 200,000 tokens'],
  ['outputOver200k', 'the same of prompts above 200,000 tokens'],
] as const

/** `inputOver200k` -> `input-over-200k` */
export function flagOf(name: string): string {
  return name.replaceAll(/[A-Z]|(?<=r)200k/g, found => `-${found.toLowerCase()}`)
}

export function addPriceFlags(command: Command): void {
  for (const [name, of] of RATE_FLAGS) {
    command.option(`--${flagOf(name)} <usd>`, `${of}: dollars per million, or text=USD,audio=USD`, rate)
  }
  command
    .option('--cache-storage <usd>', 'for a million cached tokens kept an hour', dollars)
    .option('--batch-factor <n>', 'what batch costs, as a multiple of standard', dollars)
    .option('--flex-factor <n>', 'what flex costs', dollars)
    .option('--priority-factor <n>', 'what priority costs', dollars)
    .option('--tool <tool=usd>', `dollars per 1,000 uses: ${FEE_TOOLS.join(', ')}`, numbersOf(FEE_TOOLS))
    .option(
      '--unit <unit=usd>',
      `dollars by the piece; tokens are not billed then: ${BILLED_UNITS.join(', ')}`,
      numbersOf(BILLED_UNITS),
    )
    .option('--note <text>', 'why, for those who read it later')
    .option('--from <time>', 'from when on it holds (default: now)', instant)
}

/** The price with what the flags say changed in it. */
export function changedPrice(before: PriceFields, flags: PriceFlags): PriceFields {
  const rates = RATE_FLAGS.flatMap(([name]) => {
    const given = flags[name]
    return given === undefined ? [] : [[name, ratesWith(before[name] ?? {}, given)] as const]
  })
  const numbers = {
    cacheStoragePerMTokenHour: flags.cacheStorage,
    batchFactor: flags.batchFactor,
    flexFactor: flags.flexFactor,
    priorityFactor: flags.priorityFactor,
    note: flags.note,
  }
  const tools = Object.entries(flags.tool ?? {}).map(
    ([tool, usdPer1000]) => [tool, { ...before.tools?.[tool], usdPer1000 }] as const,
  )
  const { source: _, perUnit, perUnitKind, ...kept } = before
  // Who says what tokens cost says that tokens are billed.
  const isByToken = rates.length > 0 && perUnitKind !== 'equivalent'
  return {
    ...kept,
    ...(perUnit === undefined || isByToken ? {} : { perUnit }),
    ...(perUnitKind === undefined || isByToken ? {} : { perUnitKind }),
    ...Object.fromEntries(rates),
    ...Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined)),
    ...(tools.length === 0 ? {} : { tools: { ...before.tools, ...Object.fromEntries(tools) } }),
    ...(flags.unit === undefined
      ? {}
      : { perUnit: { ...perUnit, ...flags.unit }, perUnitKind: 'billed' as const }),
  }
}

/** One number is for every modality that has a price, or for text where none has. */
function ratesWith(before: NonNullable<PriceFields['input']>, given: RateFlag): PriceFields['input'] {
  if (typeof given !== 'number') return { ...before, ...given }
  const known = Object.keys(before)
  return Object.fromEntries((known.length === 0 ? ['text'] : known).map(modality => [modality, given]))
}

function rate(text: string, before?: RateFlag): RateFlag {
  if (!text.includes('=')) return dollars(text)
  return { ...(typeof before === 'object' ? before : {}), ...numbersOf(MODALITIES)(text) }
}

function numbersOf(names: readonly string[]) {
  return (text: string, before: Readonly<Record<string, number>> = {}): Readonly<Record<string, number>> => {
    const given = Object.entries(pairs(text)).map(([name, value]) => {
      if (!names.includes(name)) throw new InvalidArgumentError(`'${name}' is none of ${names.join(', ')}.`)
      return [name, dollars(value)] as const
    })
    return { ...before, ...Object.fromEntries(given) }
  }
}

/** The server judges range and places. */
function dollars(text: string): number {
  if (/^\d{1,9}(?:\.\d{1,12})?$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Write a decimal such as 0.75.')
}
