/** Prices for people: dollars per million tokens. */
import type { ResponseOf } from '../contract/endpoint.ts'
import type { PRICES_V1 } from '../contract/prices.v1.ts'
import { type Invocation, shownTime } from './command.ts'
import type { PriceFields } from './price-flags.ts'
import { type Table, renderDetails } from './table.ts'

type PriceJson = ResponseOf<typeof PRICES_V1.getPrice>
type OverrideJson = ResponseOf<typeof PRICES_V1.createPriceOverride>
type Viewer = Pick<Invocation<unknown>, 'io' | 'nowMs'>

export function pricesTable(viewer: Viewer, prices: readonly PriceJson[]): Table {
  const money = (title: string) => ({ title, isWhole: true, align: 'right' as const })
  return {
    columns: [
      { title: 'MODEL', isKept: true, isIdentity: true },
      { ...money('INPUT'), isKept: true },
      { ...money('OUTPUT'), isKept: true },
      money('CACHED'),
      { title: 'OTHER' },
      { title: 'UNTIL', isWhole: true },
      { title: 'FROM LIST', isWhole: true },
    ],
    rows: prices.map(({ model, fields, isPriced, endTime, origin }) => [
      model,
      isPriced ? shownRate(fields.input, 'text') : 'unpriced',
      shownRate(fields.output, 'text'),
      shownRate(fields.cached, 'text'),
      [others('in', fields.input), others('out', fields.output), pieces(fields)].filter(Boolean).join(' '),
      shownTime(viewer, endTime),
      origin,
    ]),
  }
}

export function overridesTable(viewer: Viewer, overrides: readonly OverrideJson[]): Table {
  return {
    columns: [
      { title: 'MODEL', isKept: true, isIdentity: true },
      { title: 'FROM', isWhole: true, isKept: true },
      { title: 'INPUT', isWhole: true, align: 'right' },
      { title: 'OUTPUT', isWhole: true, align: 'right' },
      { title: 'LISTED OTHERWISE', isWhole: true },
      { title: 'NOTE' },
      { title: 'ID', isWhole: true, isKept: true },
    ],
    rows: overrides.map(({ name, model, effectiveTime, price, laterPrices }) => [
      model,
      shownTime(viewer, effectiveTime),
      shownRate(price.input, 'text'),
      shownRate(price.output, 'text'),
      shownTime(viewer, laterPrices?.[0]?.startTime),
      price.note ?? '',
      overrideId(name),
    ]),
  }
}

/** `priceOverrides/ID` -> `ID` */
export function overrideId(name: string): string {
  return name.replace(/^priceOverrides\//, '')
}

export function priceDetails(viewer: Viewer, price: PriceJson): string {
  const { fields } = price
  const factor = (value: number | undefined): string => (value === undefined ? '' : `${value} x standard`)
  return renderDetails([
    ['Model', price.model],
    ['From list', price.origin],
    ['Since', shownTime(viewer, price.startTime)],
    ['Until', shownTime(viewer, price.endTime)],
    ['Priced', price.isPriced ? '' : 'no: refused under a budget, and its usage marked as unpriced'],
    ['Input', allRates(fields.input)],
    ['Cached', allRates(fields.cached)],
    ['Output', allRates(fields.output)],
    ['Input over 200k', allRates(fields.inputOver200k)],
    ['Cached over 200k', allRates(fields.cachedOver200k)],
    ['Output over 200k', allRates(fields.outputOver200k)],
    [
      'Cache storage',
      fields.cacheStoragePerMTokenHour === undefined
        ? ''
        : `$${fields.cacheStoragePerMTokenHour} per million tokens and hour`,
    ],
    ['Batch', factor(fields.batchFactor)],
    ['Flex', factor(fields.flexFactor)],
    ['Priority', factor(fields.priorityFactor)],
    [
      'Tools',
      Object.entries(fields.tools ?? {})
        .map(([tool, fee]) => toolFee(tool, fee))
        .filter(Boolean)
        .join(', '),
    ],
    ['Pieces', pieces(fields)],
    ['Note', fields.note ?? ''],
    ['Source', fields.source ?? ''],
  ])
}

type Rates = PriceFields['input']

function shownRate(rates: Rates, modality: 'text' | 'audio'): string {
  const rate = rates?.[modality]
  return rate === undefined ? '' : `$${rate}`
}

/** What costs other than text. */
function others(side: string, rates: Rates): string {
  return Object.entries(rates ?? {})
    .filter(([modality, rate]) => rate !== rates?.text && modality !== 'text')
    .map(([modality, rate]) => `${side}:${modality}=$${rate}`)
    .join(' ')
}

function allRates(rates: Rates): string {
  const known = Object.entries(rates ?? {})
  const [first] = known
  if (first === undefined) return ''
  const text = known.every(([, rate]) => rate === first[1])
    ? `$${first[1]} (${known.map(([modality]) => modality).join(', ')})`
    : known.map(([modality, rate]) => `${modality} $${rate}`).join(', ')
  return `${text} per million tokens`
}

function toolFee(tool: string, fee: NonNullable<PriceFields['tools']>[string]): string {
  if (fee.usdPer1000 === undefined) return ''
  const unit = fee.unit === 'groundedPrompt' ? 'grounded prompts' : 'uses'
  const free =
    fee.freePerDay !== undefined
      ? `; ${fee.freePerDay} free a day are charged here`
      : fee.freePerMonth !== undefined
        ? `; ${fee.freePerMonth} free a month are charged here`
        : ''
  return fee.usdPer1000 === 0 ? `${tool} no fee` : `${tool} $${fee.usdPer1000} per 1,000 ${unit}${free}`
}

function pieces({ perUnit, perUnitKind }: PriceFields): string {
  if (perUnit === undefined || perUnitKind === 'equivalent') return ''
  const about = perUnitKind === 'approximate' ? 'about ' : ''
  return Object.entries(perUnit)
    .map(([unit, usd]) => `${unit}=${about}$${usd}`)
    .join(' ')
}
