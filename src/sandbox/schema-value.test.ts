import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isMessage } from './fields.ts'
import { valueFor } from './schema-value.ts'

type Schema = Record<string, unknown>

/** What is wrong with the value, as a path; null if nothing is. Knows just the keywords that the tests use. */
function fault(value: unknown, schema: Schema, root: Schema, path = '$'): string | null {
  const reference = schema['$ref']
  if (typeof reference === 'string') {
    const target = reference
      .replace(/^#\/?/, '')
      .split('/')
      .filter(step => step !== '')
      .reduce<unknown>((node, step) => (isMessage(node) ? node[step] : node), root)
    return fault(value, target as Schema, root, path)
  }
  if (Array.isArray(schema['anyOf'])) {
    const faults = schema['anyOf'].map(one => fault(value, one as Schema, root, path))
    return faults.includes(null) ? null : `${path} matches no alternative`
  }
  if (Array.isArray(schema['enum']))
    return schema['enum'].includes(value) ? null : `${path} is not in the enum`
  const types = [schema['type']].flat().map(type => String(type).toLowerCase())
  if (value === null) return types.includes('null') || schema['nullable'] === true ? null : `${path} is null`
  return types.map(type => faultOf(type, value, { schema, root, path })).includes(null)
    ? null
    : `${path} ${types.join()}`
}

interface At {
  schema: Schema
  root: Schema
  path: string
}

function faultOf(type: string, value: unknown, { schema, root, path }: At): string | null {
  const low = Number(schema['minimum'] ?? -Infinity)
  const high = Number(schema['maximum'] ?? Infinity)
  const wrong = `${path} is no ${type}`
  switch (type) {
    case 'boolean':
      return typeof value === 'boolean' ? null : wrong
    case 'integer':
    case 'number': {
      const step = Number(schema['multipleOf'] ?? 0)
      const onGrid = step === 0 || Math.abs(Number(value) / step - Math.round(Number(value) / step)) < 1e-9
      const whole = type === 'number' || Number.isInteger(value)
      const inside = Number(value) >= low && Number(value) <= high
      const open = Number(value) > Number(schema['exclusiveMinimum'] ?? -Infinity)
      return typeof value === 'number' && onGrid && whole && inside && open ? null : wrong
    }
    case 'string': {
      const length = typeof value === 'string' ? Array.from(value).length : -1
      return length >= Number(schema['minLength'] ?? 0) && length <= Number(schema['maxLength'] ?? Infinity)
        ? null
        : wrong
    }
    case 'array': {
      if (!Array.isArray(value)) return wrong
      const fits =
        value.length >= Number(schema['minItems'] ?? 0) &&
        value.length <= Number(schema['maxItems'] ?? Infinity)
      if (!fits) return `${path} has ${value.length} items`
      return (
        value
          .map((item, at) => fault(item, schema['items'] as Schema, root, `${path}[${at}]`))
          .find(Boolean) ?? null
      )
    }
    case 'object': {
      if (!isMessage(value)) return wrong
      const properties = (schema['properties'] ?? {}) as Record<string, Schema>
      const missing = ((schema['required'] ?? []) as string[]).find(name => !Object.hasOwn(value, name))
      if (missing !== undefined) return `${path} lacks ${missing}`
      return (
        Object.entries(value)
          .map(([name, item]) =>
            properties[name] ? fault(item, properties[name], root, `${path}.${name}`) : `${path}.${name}`,
          )
          .find(Boolean) ?? null
      )
    }
    default:
      return wrong
  }
}

const spelt = (type: string): fc.Arbitrary<string> => fc.constantFrom(type, type.toUpperCase())
const propertyName = fc.constantFrom(
  'name',
  'city',
  'count',
  'tags',
  'summary',
  'unit',
  'x',
  '__proto__x',
  'constructor',
)
const range = (max: number): fc.Arbitrary<[number, number]> =>
  fc
    .tuple(fc.integer({ min: 0, max }), fc.integer({ min: 0, max }))
    .map(([a, b]) => [Math.min(a, b), Math.max(a, b)])

const { schema: anySchema } = fc.letrec<{ schema: Schema }>(tie => ({
  schema: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.record({ type: spelt('string') }),
    range(40).chain(([minLength, maxLength]) =>
      fc.record({
        type: spelt('string'),
        minLength: fc.constant(minLength),
        maxLength: fc.constant(maxLength),
      }),
    ),
    fc.record({ type: spelt('string'), enum: fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 4 }) }),
    fc.record({ type: spelt('boolean'), nullable: fc.boolean() }),
    range(1000).chain(([low, high]) =>
      fc.record({
        type: spelt('integer'),
        minimum: fc.constant(low - 500),
        maximum: fc.constant(high - 500),
      }),
    ),
    range(1000).chain(([low, high]) =>
      fc.record({ type: spelt('number'), minimum: fc.constant(low / 7), maximum: fc.constant(high / 7) }),
    ),
    fc
      .integer({ min: 1, max: 20 })
      .map(step => ({ type: 'number', multipleOf: step / 10, exclusiveMinimum: step })),
    fc.constant({ type: ['null', 'integer'] }),
    fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) }),
    fc
      .tuple(range(3), tie('schema'))
      .map(([[minItems, maxItems], items]) => ({ type: 'ARRAY', items, minItems, maxItems })),
    fc
      .tuple(fc.dictionary(propertyName, tie('schema'), { maxKeys: 4 }), fc.boolean())
      .map(([properties, all]) => ({
        type: 'OBJECT',
        properties,
        required: all ? Object.keys(properties) : [],
      })),
  ),
}))

test('every value obeys its schema, for every candidate', () => {
  fc.assert(
    fc.property(anySchema, fc.string(), fc.nat({ max: 7 }), (schema, topic, nth) => {
      const value: unknown = JSON.parse(JSON.stringify(valueFor(schema, topic, nth)))
      expect(fault(value, schema, schema)).toBeNull()
      expect(valueFor(schema, topic, nth)).toEqual(value)
    }),
    { numRuns: 500 },
  )
})

test('the checker of this test can fail', () => {
  const schema = { type: 'OBJECT', properties: { a: { type: 'INTEGER', minimum: 3 } }, required: ['a'] }
  expect(fault({ a: 3 }, schema, schema)).toBeNull()
  for (const bad of [{}, { a: 2 }, { a: '3' }, { a: 3.5 }, { a: 3, b: 1 }, [], null]) {
    expect(fault(bad, schema, schema)).not.toBeNull()
  }
})

test('a recursive schema ends', () => {
  const schema = {
    $defs: {
      node: {
        type: 'object',
        properties: {
          value: { type: 'integer' },
          children: { type: 'array', items: { $ref: '#/$defs/node' } },
        },
        required: ['value', 'children'],
      },
    },
    $ref: '#/$defs/node',
  }
  expect(fault(valueFor(schema, ''), schema, schema)).toBeNull()
  const list = {
    type: 'object',
    properties: { next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } },
    required: ['next'],
  }
  expect(fault(valueFor(list, ''), list, list)).toBeNull()
})

describe('formats', () => {
  test.each([
    ['date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/],
    ['date', /^\d{4}-\d\d-\d\d$/],
    ['email', /^[^@]+@example\.com$/],
    ['uuid', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/],
    ['uri', /^https:\/\//],
    ['ipv4', /^192\.0\.2\.\d+$/],
  ])('%s', (format, pattern) => {
    expect(valueFor({ type: 'STRING', format }, '')).toMatch(pattern)
  })
})

test.each<[string, Schema, unknown]>([
  ['const', { const: { a: 1 } }, { a: 1 }],
  ['an enum of numbers written as strings', { type: 'INTEGER', enum: ['7'] }, 7],
  [
    'allOf',
    { allOf: [{ properties: { city: { type: 'string' } } }, { required: ['city'] }] },
    { city: 'Paris' },
  ],
  ['a tuple', { type: 'array', prefixItems: [{ type: 'null' }, { const: 1 }], items: false }, [null, 1]],
  [
    'distinct items',
    { type: 'array', items: { enum: ['a', 'b'] }, minItems: 2, uniqueItems: true },
    ['a', 'b'],
  ],
  ['snake_case keywords', { type: 'ARRAY', items: { type: 'NULL' }, min_items: '1', max_items: 1 }, [null]],
  [
    'property ordering',
    { properties: { b: { const: 1 }, a: { const: 2 } }, propertyOrdering: ['a', 'b'] },
    { a: 2, b: 1 },
  ],
])('%s is obeyed', (_, schema, value) => {
  expect(JSON.stringify(valueFor(schema, ''))).toBe(JSON.stringify(value))
})

const wide = (levels: number): Schema =>
  levels === 0 ? { type: 'string' } : { type: 'array', minItems: 40, items: wide(levels - 1) }

test.each<[string, Schema]>([
  ['asks for billions of items', { type: 'array', items: { type: 'string' }, minItems: 2e9 }],
  ['multiplies', wide(6)],
  ['asks for an endless string', { type: 'string', minLength: 1e9 }],
  ['refers to itself', { $ref: '#' }],
  ['never ends', { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }],
])('a schema that %s is refused', (_, schema) => {
  expect(() => valueFor(schema, '')).toThrow('too many states for serving')
})

test('a reference to nowhere is refused', () => {
  expect(() => valueFor({ $ref: '#/$defs/none' }, '')).toThrow('is not defined in the schema')
})
