import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ElementSplitter, EventSplitter, type Splitter } from './splitter.ts'

/** All that a splitter makes of a text that comes in the given chunks. */
function split(splitter: Splitter, chunks: readonly Buffer[]) {
  const pieces = chunks.flatMap(chunk => splitter.push(chunk))
  const { bytes, json } = splitter.last()
  return {
    pieces: pieces.map(piece => ({ text: piece.bytes.toString('latin1'), json: piece.json })),
    last: { text: bytes.toString('latin1'), json },
    rest: splitter.rest().toString('latin1'),
  }
}
const events = (text: string) => split(new EventSplitter(), [Buffer.from(text)])
const elements = (text: string) => split(new ElementSplitter(), [Buffer.from(text)])
const jsonOf = ({ pieces }: { pieces: { json: unknown }[] }) => pieces.map(piece => piece.json)

describe('server-sent events', () => {
  it.each([
    ['CRLF', 'data: {"a":1}\r\n\r\ndata: {"b":2}\r\n\r\n'],
    ['LF', 'data: {"a":1}\n\ndata: {"b":2}\n\n'],
    ['both mixed', 'data: {"a":1}\n\r\ndata: {"b":2}\r\n\n'],
    ['no space after the colon', 'data:{"a":1}\n\ndata:{"b":2}\n\n'],
    ['data on several lines', 'data: {"a":\ndata: 1}\n\ndata: {\r\ndata: "b":2\r\ndata: }\r\n\r\n'],
    [
      'other fields and comments inside',
      ': hi\nid: 7\ndata: {"a":1}\nretry: 1\n\nevent: x\ndata: {"b":2}\n\n',
    ],
    ['bare JSON instead of data, as errors come', '{"a":1}\n\n[{"b":2}]\n\n'],
  ])('with %s', (_, text) => {
    expect(jsonOf(events(text))).toEqual([{ a: 1 }, { b: 2 }])
    expect(events(text).rest).toBe('')
  })

  it('without JSON are pieces all the same', () => {
    expect(jsonOf(events(': ping\n\ndata: [DONE]\n\ndata: {"a":\n\n\n\n'))).toEqual([null, null, null, null])
  })

  it('that are not ended are the last piece', () => {
    const { pieces, last } = events('data: {"a":1}\r\n\r\ndata: {"b":2}\r\n')
    expect(pieces).toHaveLength(1)
    expect(last).toEqual({ text: 'data: {"b":2}\r\n', json: { b: 2 } })
  })
})

describe('elements of a growing array', () => {
  it.each([
    ['as Google sends them', '[{"a":1},\r\n{"b":2}]'],
    ['spread over lines', '[\n  {\n    "a": 1\n  }\n,\n  {"b":2}\n]\n'],
    ['without any white space', '[{"a":1},{"b":2}]'],
  ])('%s', (_, text) => {
    expect(jsonOf(elements(text))).toEqual([{ a: 1 }, { b: 2 }])
    expect(elements(text).last.json).toBeNull()
  })

  it.each([
    ['brackets in strings', { a: '}]},{"[{', '}': '[' }],
    ['quotes and backslashes', { a: String.raw`\"}`, b: '\\', 'c\\"}': '\\\\"' }],
    ['nested arrays and objects', { a: [[{ b: [{}] }], []], c: { d: {} } }],
    ['characters of several bytes', { é: '😀}' }],
  ])('with %s', (_, value) => {
    expect(jsonOf(elements(JSON.stringify([value, value])))).toEqual([value, value])
  })

  it('where there is no array the object is the last piece', () => {
    expect(elements('{"error":{"code":400}}').last.json).toEqual({ error: { code: 400 } })
  })

  it('an element that broke off is what is left', () => {
    expect(elements('[{"a":1},{"b":').last).toEqual({ text: ',{"b":', json: null })
  })
})

describe('for any chunking', () => {
  const object = fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true })
  const breaks = fc.constantFrom('\n\n', '\r\n\r\n', '\n\r\n', '\r\n\n', '\n', '\r\n', '')
  const lines = fc.constantFrom(
    'data: ',
    'data:',
    ': ',
    '',
    'event: x\ndata: ',
    '\n',
    '\r',
    '[',
    ',\r\n',
    ']',
  )
  const stream = fc.oneof(
    fc
      .array(fc.tuple(lines, object, fc.constantFrom(0, 1), breaks))
      .map(parts =>
        parts.map(([line, value, pad, end]) => line + JSON.stringify(value, null, pad) + end).join(''),
      ),
    fc.array(object).map(value => JSON.stringify(value)),
    fc.string({ unit: fc.constantFrom('\r', '\n', 'data:', '{', '}', '[', ']', '"', '\\', ',', 'é') }),
  )

  it.each([
    ['events', () => new EventSplitter()],
    ['elements', () => new ElementSplitter()],
  ])('%s: nothing is lost or changed, and the pieces are those of one chunk', (_, make) => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat()), (text, cuts) => {
        const bytes = Buffer.from(text)
        const places = [...new Set(cuts.map(cut => cut % (bytes.length + 1)))].toSorted((a, b) => a - b)
        const chunks = [0, ...places].map((from, at) => bytes.subarray(from, places[at] ?? bytes.length))
        const whole = split(make(), [bytes])
        expect(split(make(), chunks)).toEqual(whole)
        expect(
          split(
            make(),
            [...bytes].map(byte => Buffer.of(byte)),
          ),
        ).toEqual(whole)
        expect(whole.pieces.map(piece => piece.text).join('') + whole.rest).toBe(bytes.toString('latin1'))
        expect(whole.last.text).toBe(whole.rest)
      }),
      { numRuns: 300 },
    )
  })
})
