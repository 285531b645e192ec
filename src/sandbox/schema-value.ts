/**
 * A JSON value that obeys a schema: Google's Schema (OpenAPI subset, upper-case types) or JSON Schema.
 * `pattern` is the one constraint it does not try to meet.
 */
import {
  field,
  integerField,
  invalidArgument,
  isMessage,
  messageField,
  numberField,
  textField,
  textsField,
} from './fields.ts'
import type { Message } from './fields.ts'
import { sampleText } from './sample.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

/** Below this depth only what is required is filled in, so that recursive schemas end. */
const FULL_DEPTH = 5
const DEPTH_MAX = 60
/** Values in one answer: a schema of a few bytes can ask for billions. */
const VALUES_MAX = 10_000
const ITEMS_DEFAULT = 2

interface Walk {
  readonly root: Message
  readonly topic: string
  valuesLeft: number
}

interface Place {
  /** The property's name; of an array's items, the array's. */
  readonly name: string
  readonly depth: number
  /** Which of its kind: varies values between items and candidates. */
  readonly nth: number
}

/**
 * A value for the schema; the same for the same arguments.
 * `topic` is what the prompt asked, some strings echo it. `nth` varies the value between candidates.
 * Throws 400 where the schema cannot be met or asks for too much.
 */
export function valueFor(schema: Message, topic: string, nth = 0): Json {
  return valueAt(schema, { name: 'answer', depth: 0, nth }, { root: schema, topic, valuesLeft: VALUES_MAX })
}

function tooComplex(): Error {
  return invalidArgument('The specified schema produces a constraint that has too many states for serving.')
}

function valueAt(given: unknown, place: Place, walk: Walk): Json {
  walk.valuesLeft -= 1
  if (walk.valuesLeft < 0 || place.depth > DEPTH_MAX) throw tooComplex()
  if (given === false) throw invalidArgument('The schema false allows no value.')
  const schema = settled(isMessage(given) ? given : {}, place, walk)
  if (Object.hasOwn(schema, 'const')) return schema['const'] as Json
  const choices = field(schema, 'enum')
  if (Array.isArray(choices) && choices.length > 0) return enumValue(choices, schema, place.nth)
  const type = typeOf(schema)
  if (place.depth > FULL_DEPTH && allowsNull(schema)) return null
  switch (type) {
    case 'object':
      return objectValue(schema, place, walk)
    case 'array':
      return arrayValue(schema, place, walk)
    case 'integer':
    case 'number':
      return numberValue(schema, type === 'integer', place)
    case 'boolean':
      return (place.name.length + place.nth) % 2 === 0
    case 'null':
      return null
    default:
      return stringValue(schema, place, walk.topic)
  }
}

/** The schema with its $ref followed, its allOf merged and one of its alternatives chosen. */
function settled(given: Message, place: Place, walk: Walk): Message {
  let schema = given
  for (let hops = 0; hops < DEPTH_MAX; hops += 1) {
    const reference = field(schema, '$ref')
    const all = listOf(schema, 'allOf')
    const any = [...listOf(schema, 'anyOf'), ...listOf(schema, 'oneOf')]
    if (typeof reference === 'string')
      schema = merge(without(schema, ['$ref']), resolve(reference, walk.root))
    else if (all.length > 0) schema = all.reduce<Message>(merge, without(schema, ['allOf', 'all_of']))
    else if (any.length > 0) {
      const rest = without(schema, ['anyOf', 'any_of', 'oneOf', 'one_of'])
      schema = merge(rest, alternative(any, place, walk.root))
    } else return schema
  }
  throw tooComplex()
}

function listOf(schema: Message, name: string): readonly Message[] {
  const value = field(schema, name)
  return Array.isArray(value) ? value.filter(isMessage) : []
}

function without(schema: Message, names: readonly string[]): Message {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => !names.includes(name)))
}

function merge(left: Message, right: Message): Message {
  const properties = { ...messageField(left, 'properties'), ...messageField(right, 'properties') }
  const required = [...textsField(left, 'required'), ...textsField(right, 'required')]
  return {
    ...left,
    ...right,
    ...(Object.keys(properties).length > 0 ? { properties } : {}),
    ...(required.length > 0 ? { required: [...new Set(required)] } : {}),
  }
}

/** A JSON pointer into the root schema, e.g. `#/$defs/Node`. */
function resolve(reference: string, root: Message): Message {
  if (!reference.startsWith('#')) throw invalidArgument(`Reference ${reference} leaves the schema.`)
  let node: unknown = root
  for (const step of reference.slice(1).split('/').slice(1)) {
    const name = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
    node = isMessage(node) && Object.hasOwn(node, name) ? node[name] : undefined
  }
  if (!isMessage(node)) throw invalidArgument(`Reference ${reference} is not defined in the schema.`)
  return node
}

/** Varies with `nth`; deep down the one that ends soonest. */
function alternative(any: readonly Message[], place: Place, root: Message): Message {
  const valued = any.filter(schema => typeOf(schema) !== 'null')
  const list = place.depth > FULL_DEPTH || valued.length === 0 ? any : valued
  if (place.depth <= FULL_DEPTH) return list[place.nth % list.length] ?? {}
  const cost = (schema: Message): number => {
    const reference = field(schema, '$ref')
    const target = typeof reference === 'string' ? resolve(reference, root) : schema
    return ['null', 'boolean', 'string', 'integer', 'number', 'array', 'object'].indexOf(typeOf(target))
  }
  return list.toSorted((left, right) => cost(left) - cost(right))[0] ?? {}
}

/** Lower case; told by the other fields where it is not given; the first that is not null where several are. */
function typeOf(schema: Message): string {
  const value = field(schema, 'type')
  const types = (Array.isArray(value) ? value : [value]).filter(type => typeof type === 'string')
  const names = types.map(type => type.toLowerCase()).filter(type => type !== 'type_unspecified')
  const named = names.find(type => type !== 'null') ?? names[0]
  if (named !== undefined) return named
  if (field(schema, 'properties') !== undefined) return 'object'
  return field(schema, 'items') === undefined && field(schema, 'prefixItems') === undefined
    ? 'string'
    : 'array'
}

function allowsNull(schema: Message): boolean {
  const type = field(schema, 'type')
  return field(schema, 'nullable') === true || (Array.isArray(type) && type.includes('null'))
}

/** Google's Schema writes the values of a numeric enum as strings too. */
function enumValue(choices: readonly unknown[], schema: Message, nth: number): Json {
  const choice = choices[nth % choices.length] as Json
  const numeric = ['integer', 'number'].includes(typeOf(schema)) && typeof choice === 'string'
  return numeric && Number.isFinite(Number(choice)) ? Number(choice) : choice
}

function objectValue(schema: Message, place: Place, walk: Walk): Json {
  const properties = messageField(schema, 'properties') ?? {}
  const required = textsField(schema, 'required')
  const ordering = textsField(schema, 'propertyOrdering').filter(name => Object.hasOwn(properties, name))
  const names = new Set([...ordering, ...Object.keys(properties), ...required])
  const below = { depth: place.depth + 1, nth: place.nth }
  const entries: [string, Json][] = []
  for (const name of names) {
    if (place.depth >= FULL_DEPTH && !required.includes(name)) continue
    if (properties[name] === false && !required.includes(name)) continue
    entries.push([name, valueAt(properties[name] ?? {}, { name, ...below }, walk)])
  }
  const further = field(schema, 'additionalProperties')
  const least = integerField(schema, 'minProperties') ?? (names.size === 0 && isMessage(further) ? 1 : 0)
  const missing = further === false ? 0 : least - entries.length
  if (missing > walk.valuesLeft) throw tooComplex()
  for (let count = 1; count <= missing; count += 1) {
    const name = `key${count}`
    if (!names.has(name)) entries.push([name, valueAt(further ?? {}, { name, ...below }, walk)])
  }
  return Object.fromEntries(entries)
}

function arrayValue(schema: Message, place: Place, walk: Walk): Json {
  const prefix = field(schema, 'prefixItems')
  const tuple: readonly unknown[] = Array.isArray(prefix) ? prefix : []
  const items = field(schema, 'items')
  const least = integerField(schema, 'minItems') ?? 0
  const most = integerField(schema, 'maxItems') ?? Number.POSITIVE_INFINITY
  const wanted = place.depth >= FULL_DEPTH ? least : Math.max(least, tuple.length || ITEMS_DEFAULT)
  const count = Math.min(wanted, most, items === false ? tuple.length : most)
  if (count > walk.valuesLeft) throw tooComplex()
  const seen = new Set<string>()
  const values: Json[] = []
  for (let tried = 0; values.length < count && tried < count * 2; tried += 1) {
    const below = { name: place.name, depth: place.depth + 1, nth: place.nth + tried }
    const value = valueAt(tuple[values.length] ?? items ?? {}, below, walk)
    const text = JSON.stringify(value)
    if (field(schema, 'uniqueItems') === true && seen.has(text)) continue
    seen.add(text)
    values.push(value)
  }
  return values
}

/** An edge of a range, and whether the edge itself is out. */
interface Edge {
  readonly at: number
  readonly open: boolean
}

/** The exclusive bound is a number of its own in JSON Schema, and a flag on the inclusive one in OpenAPI 3.0. */
function edge(schema: Message, side: 'low' | 'high'): Edge | null {
  const closed = numberField(schema, side === 'low' ? 'minimum' : 'maximum')
  const open = field(schema, side === 'low' ? 'exclusiveMinimum' : 'exclusiveMaximum')
  if (typeof open !== 'number') return closed === undefined ? null : { at: closed, open: open === true }
  const looser = closed === undefined || (side === 'low' ? closed <= open : closed >= open)
  return looser ? { at: open, open: true } : { at: closed, open: false }
}

function numberValue(schema: Message, integer: boolean, place: Place): number {
  const low = edge(schema, 'low')
  const high = edge(schema, 'high')
  const multipleOf = numberField(schema, 'multipleOf') ?? 0
  if (!integer && multipleOf <= 0) return between(low, high, place)
  const step = multipleOf > 0 ? multipleOf : 1
  const first = low === null ? null : low.open ? Math.floor(low.at / step) + 1 : Math.ceil(low.at / step)
  const last = high === null ? null : high.open ? Math.ceil(high.at / step) - 1 : Math.floor(high.at / step)
  const wish = first === null ? place.name.length + place.nth : first + place.nth
  const count = Math.min(wish, last ?? wish)
  const value = Number((count * step).toPrecision(12))
  return value === 0 ? 0 : value
}

/** A number inside the edges, which may be as close as two neighbouring fractions. */
function between(low: Edge | null, high: Edge | null, place: Place): number {
  if (low !== null && high !== null) return low.at + (high.at - low.at) * (((place.nth % 3) + 1) / 4)
  if (low !== null) return low.at + (place.nth + 1) / 2
  if (high !== null) return high.at - (place.nth + 1) / 2
  return place.name.length + place.nth + 0.5
}

function stringValue(schema: Message, place: Place, topic: string): string {
  const format = textField(schema, 'format') ?? ''
  const sample = sampleText(place.name, { format, topic, nth: place.nth })
  if (sample.formatted) return sample.text
  const least = integerField(schema, 'minLength') ?? 0
  const most = integerField(schema, 'maxLength') ?? Number.POSITIVE_INFINITY
  if (least > VALUES_MAX) throw tooComplex()
  const characters = Array.from(sample.text.padEnd(least, '.'))
  while (characters.length < least) characters.push('.')
  return characters.length > most ? characters.slice(0, Math.max(0, most)).join('') : characters.join('')
}
