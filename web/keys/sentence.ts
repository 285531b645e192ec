import { ALLOWED_TOOLS } from '../../src/domain/key.ts'
import { type ClientKind, type KeyDraft, type QuotaField, capOf, linesOf } from './draft.ts'

const PLACES: Readonly<Record<Exclude<ClientKind, 'any'>, readonly [one: string, many: string]>> = {
  addresses: ['the address', 'addresses'],
  referrers: ['the page', 'pages'],
  applications: ['the Android app', 'Android apps'],
  bundleIds: ['the iOS app', 'iOS apps'],
}

const PERIODS = { month: 'a month', day: 'a day', total: 'in all' } as const

/** What the key may do, in words: to be read once more before it is made. */
export function sentenceOf(draft: KeyDraft): string {
  const { methods, models, tools } = draft
  const parts = [
    `May call ${methods.length === 0 ? 'every method' : listed(methods)}`,
    `on ${models.trim() === '' ? 'every model' : listed(linesOf(models))}`,
    toolsPart(tools),
    `from ${placesPart(draft)}`,
  ]
  return [`${parts.join(', ')}.`, ratePart(draft), spendPart(draft), expiryPart(draft)]
    .filter(part => part !== '')
    .join(' ')
}

function toolsPart(tools: KeyDraft['tools']): string {
  if (tools === null || tools.length === ALLOWED_TOOLS.length) return 'with every tool'
  return tools.length === 0 ? 'without tools' : `with ${listed(tools)}`
}

function placesPart(draft: KeyDraft): string {
  if (draft.clients === 'any') return 'anywhere'
  const entries = linesOf(draft[draft.clients])
  const [one, many] = PLACES[draft.clients]
  return entries.length === 1 ? `${one} ${entries[0]}` : `${entries.length} ${many}`
}

const RATES: Readonly<Record<QuotaField, string>> = {
  rpm: 'requests a minute',
  tpm: 'input tokens a minute',
  rpd: 'requests a day',
}

function ratePart(draft: KeyDraft): string {
  const rates = (Object.keys(RATES) as QuotaField[]).flatMap(field => {
    const value = draft[field].trim()
    return value === '' || value === '-1' ? [] : `${value} ${RATES[field]}`
  })
  return rates.length === 0 ? '' : `At most ${rates.join(', ')}.`
}

function spendPart(draft: KeyDraft): string {
  if (capOf(draft) === null) return 'Nothing but the budgets of its project caps what it spends.'
  const end =
    draft.policy === 'clamp' ? 'answers are cut to fit what is left' : 'a call that may not fit is refused'
  return `Spends at most $${draft.cap.trim()} ${PERIODS[draft.period]}, to the nano-dollar; ${end}.`
}

function expiryPart({ expiry, expireTime }: KeyDraft): string {
  if (expiry === 'never') return 'It never expires.'
  if (expiry === 'at') return `It expires at ${expireTime.replace('T', ' ')}.`
  return `It expires in ${expiry} days.`
}

function listed(entries: readonly string[]): string {
  return entries.length <= 3
    ? entries.join(', ')
    : `${entries.slice(0, 2).join(', ')} and ${entries.length - 2} more`
}
