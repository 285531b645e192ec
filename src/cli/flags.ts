/** Values of flags, read as gcloud reads them. Every reader throws commander's InvalidArgumentError: exit code 2. */
import { InvalidArgumentError } from 'commander'
import { ALLOWED_TOOLS, type AllowedTool, type AndroidApplication, type ApiTarget } from '../domain/key.ts'
import { API_VERSIONS, type ModelAlias } from '../domain/project.ts'
import { parseDuration, parseInstant } from './moment.ts'

/** `a,b` and repetition: one list. */
export function list(text: string, before: readonly string[] = []): readonly string[] {
  const entries = splitList(text)
  if (entries.length === 0) throw new InvalidArgumentError('It must name at least one entry.')
  return [...before, ...entries]
}

/** A list, or `none` for an empty one. */
export function listOrNone(text: string, before?: readonly string[]): readonly string[] {
  if (text !== 'none') return list(text, before)
  if (before !== undefined) throw new InvalidArgumentError('`none` stands alone.')
  return []
}

/** A list of words out of `words`. */
export function listOf<Word extends string>(words: readonly Word[]) {
  return (text: string, before: readonly Word[] = []): readonly Word[] => [
    ...before,
    ...list(text).map(entry => wordOf(entry, words)),
  ]
}

/** A list of allowedTools, or `none`. */
export function toolsOrNone(text: string, before?: readonly AllowedTool[]): readonly AllowedTool[] {
  return listOrNone(text, before).map(entry => wordOf(entry, ALLOWED_TOOLS))
}

/** `k=v,k=v` and repetition: one map. */
export function pairs(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  return { ...before, ...Object.fromEntries(list(text).map(splitPair)) }
}

/** gcloud's `service=S,methods=M1;M2` or `service=S,methods=M1,methods=M2`; once per API. */
export function apiTarget(text: string, before: readonly ApiTarget[] = []): readonly ApiTarget[] {
  const fields = splitList(text).map(splitPair)
  assertNames(fields, ['service', 'methods'])
  const services = fields.filter(([name]) => name === 'service')
  const service = services[0]?.[1]
  if (service === undefined || services.length > 1) {
    throw new InvalidArgumentError(
      'Write service=SERVICE once, then methods=METHOD;METHOD if not all are meant.',
    )
  }
  const methods = fields
    .filter(([name]) => name === 'methods')
    .flatMap(([, value]) => value.split(';'))
    .map(method => method.trim())
    .filter(method => method !== '')
  return [...before, methods.length === 0 ? { service } : { service, methods }]
}

/** gcloud's `sha1_fingerprint=F,package_name=P`; once per application. */
export function androidApplication(
  text: string,
  before: readonly AndroidApplication[] = [],
): readonly AndroidApplication[] {
  const fields = splitList(text).map(splitPair)
  assertNames(fields, ['sha1_fingerprint', 'package_name'])
  const byName = new Map(fields)
  const sha1Fingerprint = byName.get('sha1_fingerprint')
  const packageName = byName.get('package_name')
  if (sha1Fingerprint === undefined || packageName === undefined || fields.length > 2) {
    throw new InvalidArgumentError(
      'Write sha1_fingerprint=FINGERPRINT,package_name=NAME, once per application.',
    )
  }
  return [...before, { sha1Fingerprint, packageName }]
}

/** `alias=model` or `alias=model@apiVersion`; commas and repetition. */
export function modelAliases(
  text: string,
  before: Readonly<Record<string, ModelAlias>> = {},
): Readonly<Record<string, ModelAlias>> {
  const aliases = list(text).map(entry => {
    const [alias, target] = splitPair(entry)
    const [model = '', version] = target.split('@')
    return [
      alias,
      version === undefined ? { model } : { model, apiVersion: wordOf(version, API_VERSIONS) },
    ] as const
  })
  return { ...before, ...Object.fromEntries(aliases) }
}

/** `90d` from now as RFC 3339. */
export function timeIn(text: string): string {
  const durationMs = parseDuration(text)
  if (durationMs === null) throw new InvalidArgumentError('Write a duration such as 90d, 24h or 30m.')
  return new Date(Date.now() + durationMs).toISOString()
}

/** `7d` ago, a moment, or the first moment of a day (UTC), as RFC 3339. */
export function timeAgo(text: string): string {
  const durationMs = parseDuration(text)
  const timeMs = durationMs === null ? parseInstant(text) : Date.now() - durationMs
  if (timeMs !== null) return new Date(timeMs).toISOString()
  throw new InvalidArgumentError(
    'Write a duration such as 7d, or a time such as 2027-01-31T12:00:00Z or 2027-01-31.',
  )
}

/** RFC 3339, or the first moment of a day (UTC), as RFC 3339 in UTC. */
export function instant(text: string): string {
  const timeMs = parseInstant(text)
  if (timeMs !== null) return new Date(timeMs).toISOString()
  throw new InvalidArgumentError('Write a time such as 2027-01-31T12:00:00Z or 2027-01-31.')
}

/** A whole number from 1 to `max`. */
export function countUpTo(max: number) {
  return (text: string): number => {
    if (/^\d{1,9}$/.test(text) && Number(text) >= 1 && Number(text) <= max) return Number(text)
    throw new InvalidArgumentError(`Write a whole number from 1 to ${max}.`)
  }
}

/** A duration in ms. */
export function duration(text: string): number {
  const durationMs = parseDuration(text)
  if (durationMs === null) throw new InvalidArgumentError('Write a duration such as 30s or 2m.')
  return durationMs
}

function wordOf<Word extends string>(entry: string, words: readonly Word[]): Word {
  const word = words.find(word => word === entry)
  if (word !== undefined) return word
  throw new InvalidArgumentError(`'${entry}' is none of ${words.join(', ')}.`)
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map(entry => entry.trim())
    .filter(entry => entry !== '')
}

function splitPair(entry: string): readonly [string, string] {
  const at = entry.indexOf('=')
  if (at < 1) throw new InvalidArgumentError(`'${entry}' is not of the form NAME=VALUE.`)
  return [entry.slice(0, at).trim(), entry.slice(at + 1).trim()]
}

function assertNames(fields: readonly (readonly [string, string])[], known: readonly string[]): void {
  const unknown = fields.find(([name]) => !known.includes(name))
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`'${unknown[0]}' is none of ${known.join(', ')}.`)
  }
}
