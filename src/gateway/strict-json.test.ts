import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ApiError } from '../domain/error.ts'
import { parseStrictJson, replaceSpans } from './strict-json.ts'

const parse = (text: string | Buffer) => parseStrictJson(Buffer.from(text))

function refusal(text: string | Buffer): ApiError {
  try {
    parse(text)
  } catch (error) {
    if (error instanceof ApiError) return error
    throw error
  }
  throw new Error(`not refused: ${text.toString().slice(0, 100)}`)
}

describe('a key that stands twice in one object', () => {
  it.each([
    ['at the top', '{"a":1,"a":2}'],
    ['deep inside', '{"a":[[{"b":{"c":1,"c":1}}]]}'],
    ['with an escape', String.raw`{"model":"x","\u006dodel":"y"}`],
    ['with two different escapes', String.raw`{"\u006Dodel":1,"\u006dodel":2}`],
    ['with a slash escaped', String.raw`{"a/b":1,"a\/b":2}`],
    ['as the empty key', '{"":1,"":2}'],
    ['as __proto__', '{"__proto__":1,"__proto__":2}'],
    ['as constructor', '{"constructor":1,"constructor":2}'],
    ['after an object', '{"a":{"a":1},"a":2}'],
    ['after an array of objects', '{"a":[{"a":1},{"a":1}],"b":0,"a":2}'],
    ['after a string with quotes and brackets', String.raw`{"a":"\"}]{[,\\","a":2}`],
    ['with its own null', '{"a":null,"a":1}'],
    ['spread over white space', '{ "a" \n:\t1\r,\n"a" : 2 }'],
  ])('is refused %s', (_, text) => {
    expect(refusal(text).reason).toBe('REQUEST_MALFORMED')
  })

  it.each([
    ['in different objects', '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}'],
    ['as text only', String.raw`{"a":"\"a\":1,\"a\":2","b":["a","a","{\"a\":1,\"a\":1}"]}`],
    ['in another case', '{"a":1,"A":2}'],
    ['among inherited names', '{"__proto__":1,"constructor":2,"toString":3}'],
  ])('is no such key %s', (_, text) => {
    expect(parse(text).value).toEqual(JSON.parse(text))
  })
})

describe('what is refused whole', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

  it('nesting deeper than 100, in arrays, objects and both', () => {
    expect(parse(nested(100)).value).toBeTruthy()
    expect(refusal(nested(101)).message).toContain('100 levels')
    expect(refusal('{"a":'.repeat(101) + '0' + '}'.repeat(101)).message).toContain('100 levels')
    expect(refusal('[{"a":'.repeat(51) + '0' + '}]'.repeat(51)).message).toContain('100 levels')
  })

  it('nesting deep enough to break a recursive parser', () => {
    expect(refusal(nested(500_000)).reason).toBe('REQUEST_MALFORMED')
  })

  it.each([
    ['a lone continuation byte', [0x22, 0x80, 0x22]],
    ['an overlong quote', [0x22, 0xc0, 0xa2, 0x22]],
    ['a surrogate in UTF-8', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['a character cut short', [0x22, 0xe2, 0x82, 0x22]],
    ['UTF-16', [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
  ])('invalid UTF-8: %s', (_, bytes) => {
    expect(refusal(Buffer.from(bytes)).message).toContain('UTF-8')
  })

  it.each([
    ['nothing', ''],
    ['a byte order mark', '\ufeff{}'],
    ['two values', '{}{}'],
    ['a trailing comma', '{"a":1,}'],
    ['a comment', '{/* */}'],
    ['single quotes', "{'a':1}"],
    ['a bare key', '{a:1}'],
    ['NaN', '{"a":NaN}'],
    ['a raw line break in a string', '{"a":"\n"}'],
    ['a vertical tab as white space', '{"a":\v1}'],
    ['a string without end', String.raw`{"a":"\"`],
  ])('what JSON does not have: %s', (_, text) => {
    expect(refusal(text).reason).toBe('REQUEST_MALFORMED')
  })
})

describe('spans of model', () => {
  it.each([
    ['at the top', '{"model":"models/x"}', [['model', 'models/x']]],
    [
      'under requests',
      '{"requests":[{"model":"x"},{"model":"y"}]}',
      [
        ['requests.model', 'x'],
        ['requests.model', 'y'],
      ],
    ],
    ['under a lone request', '{"requests":{"model":"x"}}', [['requests.model', 'x']]],
    [
      'with escapes in key and value',
      String.raw`{"\u006dodel":"a\"b\\"}`,
      [['model', String.raw`a"b\\`.replace('\\\\', '\\')]],
    ],
    ['behind characters of two, three and four bytes', '{"é€":"😀","model":"m"}', [['model', 'm']]],
    ['as the value of another key: none', '{"a":"model","b":["model","x"]}', []],
    ['that is no string: none', '{"model":5,"a":"b","c":{"model":["x"]}}', []],
    [
      'of an object: what is inside has its own key',
      '{"model":{"a":"b","model":"x"}}',
      [['model.model', 'x']],
    ],
  ] as [string, string, [string, string][]][])('%s', (_, text, expected) => {
    const { modelSpans } = parse(text)
    expect(modelSpans.map(({ path, value }) => [path, value])).toEqual(expected)
    for (const span of modelSpans) expect(JSON.parse(text.slice(span.start, span.end))).toBe(span.value)
  })

  it('are replaced without touching anything else', () => {
    const text = String.raw`{ "é":"😀 \u0041", "model" : "old","requests":[{"model":"ol\u0064"}] , "z":1.50 }`
    const bytes = Buffer.from(text)
    const replaced = replaceSpans(bytes, parseStrictJson(bytes).modelSpans, 'models/new "x"').toString()
    const name = String.raw`"models/new \"x\""`
    expect(replaced).toBe(text.replace('"old"', name).replace(String.raw`"ol\u0064"`, name))
  })
})

const space = fc.constantFrom('', '', ' ', '\n', '\t', '\r\n')
const escaped = (text: string, all: boolean) =>
  all
    ? `"${[...Array(text.length).keys()].map(at => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`
    : JSON.stringify(text)

/** A JSON text of the value, its white space and escapes chosen by `choose`. */
function written(value: unknown, choose: fc.GeneratorValue): string {
  const pad = () => choose(() => space)
  const text = (string: string) => escaped(string, choose(fc.boolean))
  const inner = (value: unknown): string => {
    if (typeof value === 'string') return text(value)
    if (Array.isArray(value))
      return `[${
        value
          .map(inner)
          .map(element => pad() + element + pad())
          .join(',') || pad()
      }]`
    if (typeof value === 'object' && value !== null) {
      const members = Object.entries(value).map(
        ([key, member]) => `${pad()}${text(key)}${pad()}:${pad()}${inner(member)}${pad()}`,
      )
      return `{${members.join(',') || pad()}}`
    }
    return JSON.stringify(value)
  }
  return pad() + inner(value) + pad()
}

const names = fc.oneof(
  fc.constantFrom('model', 'requests', 'a', '', '__proto__'),
  fc.string({ unit: 'binary' }),
)
const json = fc.letrec(tie => ({
  value: fc.oneof({ maxDepth: 6 }, fc.jsonValue(), fc.string({ unit: 'binary' }), tie('list'), tie('object')),
  list: fc.array(tie('value'), { maxLength: 4 }),
  object: fc.dictionary(names, tie('value'), { maxKeys: 5, noNullPrototype: true }),
})).value

describe('for any JSON', () => {
  it('reads what JSON.parse reads, and every span covers the model it names', () => {
    fc.assert(
      fc.property(json, fc.gen(), (value, choose) => {
        const text = written(value, choose)
        const bytes = Buffer.from(text)
        // A lone surrogate that is not escaped has no UTF-8.
        fc.pre(bytes.toString('utf8') === text)
        const { value: read, modelSpans } = parseStrictJson(bytes)
        expect(read).toEqual(JSON.parse(text))
        expect(modelSpans.map(span => span.value)).toEqual(modelsIn(JSON.parse(text)))
        for (const span of modelSpans) expect(JSON.parse(text.slice(span.start, span.end))).toBe(span.value)
      }),
    )
  })

  it('accepts exactly what JSON.parse accepts where no key stands twice', () => {
    const mutated = fc.tuple(
      json,
      fc.gen(),
      fc.nat(),
      fc.constantFrom('', '"', '\\', '{', '}', '[', ']', ',', ':', '0', ' '),
    )
    fc.assert(
      fc.property(mutated, ([value, choose, place, put]) => {
        const text = written(value, choose)
        const at = place % (text.length + 1)
        const broken = text.slice(0, at) + put + text.slice(at + (put === '' ? 1 : 0))
        fc.pre(Buffer.from(broken).toString('utf8') === broken)
        let expected: unknown
        try {
          expected = JSON.parse(broken)
        } catch {
          expect(refusal(broken).reason).toBe('REQUEST_MALFORMED')
          return
        }
        try {
          expect(parse(broken).value).toEqual(expected)
        } catch (error) {
          // The change may have made two keys equal.
          if (!(error instanceof ApiError)) throw error
          expect(error.message).toContain('twice')
        }
      }),
    )
  })

  it('refuses it with any one member written twice', () => {
    const objects = fc.dictionary(names, json, { minKeys: 1, maxKeys: 4, noNullPrototype: true })
    fc.assert(
      fc.property(
        objects,
        fc.nat(),
        fc.boolean(),
        fc.boolean(),
        fc.nat({ max: 5 }),
        (object, place, first, second, depth) => {
          const members = Object.entries(object)
          const key = members[place % members.length]?.[0] ?? ''
          const body = members.map(
            ([name, value]) => `${escaped(name, name === key && first)}:${JSON.stringify(value)}`,
          )
          const twice = `{${[...body, `${escaped(key, second)}:0`].join(',')}}`
          const text = '[{"a":'.repeat(depth) + twice + '}]'.repeat(depth)
          fc.pre(Buffer.from(text).toString('utf8') === text)
          expect(refusal(text).message).toContain('twice')
        },
      ),
    )
  })
})

/** Strings under a key `model` at any depth, in the order of the text. */
function modelsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(modelsIn)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]: [string, unknown]) =>
    key === 'model' && typeof member === 'string' ? [member] : modelsIn(member),
  )
}
