import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ReplyHead, ReplyMalformed, ReplyParser } from './reply-parser.ts'

interface Read {
  head: ReplyHead | null
  body: string
  used: number
  isDone: boolean
  isKept: boolean
  keepAliveSeconds: number | null
}

/** What is read of bytes that come in pieces of the given sizes, the rest in one; then the connection ends or does not. */
function read(text: string, { sizes = [] as readonly number[], ends = false } = {}): Read {
  const found: Read = { head: null, body: '', used: 0, isDone: false, isKept: false, keepAliveSeconds: null }
  const parser = new ReplyParser({
    onHead: head => {
      expect(found.head).toBeNull()
      found.head = head
    },
    onData: chunk => {
      expect(found.head).not.toBeNull()
      found.body += chunk.toString('latin1')
    },
  })
  let rest = Buffer.from(text, 'latin1')
  for (const size of [...sizes, rest.length]) {
    // The buffer is lent and longer than what was read into it.
    const lent = Buffer.concat([rest.subarray(0, size), Buffer.from('\r\n\r\nleft over')])
    const length = Math.min(size, rest.length)
    const used = parser.read(lent, length)
    lent.fill(0)
    found.used += used
    rest = rest.subarray(length)
    if (used < length) break
  }
  if (ends) parser.end()
  return { ...found, isDone: parser.isDone, ...parser.persistence }
}

const reply = (...lines: string[]): string => lines.join('\r\n')

describe('a whole reply', () => {
  it.each([
    ['of a length', reply('HTTP/1.1 200 OK', 'content-length: 5', '', 'hello'), 'hello', true],
    ['of length 0', reply('HTTP/1.1 200 OK', 'content-length: 0', '', ''), '', true],
    ['without a reason', reply('HTTP/1.1 200', 'content-length: 0', '', ''), '', true],
    ['of status 204', reply('HTTP/1.1 204 No Content', '', ''), '', true],
    [
      'in chunks',
      reply('HTTP/1.1 200 OK', 'transfer-encoding: chunked', '', '5', 'hello', '0', '', ''),
      'hello',
      true,
    ],
    [
      'in chunks with extensions, blanks, capitals and a trailer',
      reply(
        'HTTP/1.1 200 OK',
        'Transfer-Encoding: Chunked',
        '',
        '0A ;a=b',
        '0123456789',
        '1',
        '!',
        '0',
        'x: y',
        '',
        '',
      ),
      '0123456789!',
      true,
    ],
    [
      'behind interim replies',
      reply(
        'HTTP/1.1 100 Continue',
        '',
        'HTTP/1.1 103 Early Hints',
        'link: x',
        '',
        'HTTP/1.1 200 OK',
        'content-length: 1',
        '',
        'a',
      ),
      'a',
      true,
    ],
    [
      'of a server that closes',
      reply('HTTP/1.1 200 OK', 'connection: Close', 'content-length: 1', '', 'a'),
      'a',
      false,
    ],
    ['of HTTP/1.0', reply('HTTP/1.0 200 OK', 'content-length: 1', '', 'a'), 'a', false],
  ])('%s is whole, however it is cut', (_, text, body, isKept) => {
    const whole = read(text)
    expect(whole).toMatchObject({ body, isKept, isDone: true, used: text.length })
    for (let size = 1; size < text.length; size++) {
      expect(read(text, { sizes: [size] })).toEqual(whole)
      expect(read(text, { sizes: Array.from(text, () => size) })).toEqual(whole)
    }
    // Anything less is not.
    for (let cut = 0; cut < text.length; cut++)
      expect(read(text.slice(0, cut), { ends: true }).isDone).toBe(false)
  })

  it('that ends with its connection is whole then, and only then', () => {
    const text = reply('HTTP/1.1 200 OK', 'content-type: text/plain', '', 'all of it')
    expect(read(text)).toMatchObject({ body: 'all of it', isDone: false })
    expect(read(text, { ends: true })).toMatchObject({ isDone: true, isKept: false })
  })

  it('leaves what comes after it unread', () => {
    const text = reply('HTTP/1.1 200 OK', 'content-length: 1', '', 'a')
    expect(read(`${text}HTTP/1.1 200 OK\r\n`)).toMatchObject({ body: 'a', used: text.length })
  })

  it('says for how long its connection is kept', () => {
    const kept = (value: string) =>
      read(reply('HTTP/1.1 200 OK', `keep-alive: ${value}`, 'content-length: 0', '', '')).keepAliveSeconds
    expect(['timeout=5', 'max=3, timeout=120', 'x', 'timeout=', 'mytimeout=5'].map(kept)).toEqual([
      5,
      120,
      null,
      null,
      null,
    ])
  })
})

it('of a head only what is asked for is passed on, the first of each', () => {
  const text = reply(
    'HTTP/1.1 429 Too Many',
    'Content-Type: application/json',
    'content-type: text/html',
    'X-Gemini-Service-Tier:\tflex ',
    'retry-after: 7',
    'set-cookie: a=b',
    'x-goog-api-key: AIza',
    'content-length: 0',
    '',
    '',
  )
  expect(read(text).head).toEqual({
    status: 429,
    contentType: 'application/json',
    retryAfter: '7',
    serviceTier: 'flex',
  })
})

const OK = 'HTTP/1.1 200 OK'
const CHUNKED = 'transfer-encoding: chunked'

describe('what two readers could take for different things is refused:', () => {
  it.each([
    ['no status line', 'hello world\r\n\r\n'],
    ['another protocol', 'HTTP/2 200\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a switch of protocols', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n'],
    [
      'interim replies without end',
      `${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(9)}${OK}\r\ncontent-length: 0\r\n\r\n`,
    ],
    ['length and chunks', reply(OK, 'content-length: 5', CHUNKED, '', '0', '', '')],
    ['two lengths', reply(OK, 'content-length: 5', 'content-length: 6', '', '')],
    ['equal lengths twice', reply(OK, 'content-length: 5', 'content-length: 5', '', '')],
    ['a list of lengths', reply(OK, 'content-length: 5, 5', '', '')],
    ['a signed length', reply(OK, 'content-length: +5', '', '')],
    ['a length in hex', reply(OK, 'content-length: 0x5', '', '')],
    ['an empty length', reply(OK, 'content-length:', '', '')],
    ['a coding that is not known', reply(OK, 'transfer-encoding: gzip, chunked', '', '')],
    ['chunked twice', reply(OK, CHUNKED, CHUNKED, '', '')],
    ['a folded line', reply(OK, 'x: a', ' b', '', '')],
    ['a blank before the colon', reply(OK, 'content-length : 5', '', '')],
    ['a line without a colon', reply(OK, 'content-length', '', '')],
    ['a line without a name', reply(OK, ': x', '', '')],
    ['a bare CR', reply(OK, 'x: a\rcontent-length: 1', '', '')],
    ['a bare LF', reply(OK, 'x: a\ncontent-length: 1', '', '')],
    ['a NUL', reply(OK, 'x: a\0b', '', '')],
    ['a head without end', `${OK}\r\nx: ${'a'.repeat(17_000)}`],
    ['a chunk without a size', reply(OK, CHUNKED, '', '', '')],
    ['a chunk of no hex size', reply(OK, CHUNKED, '', 'g', '')],
    ['a chunk of a negative size', reply(OK, CHUNKED, '', '-1', '')],
    ['a chunk of endless size', reply(OK, CHUNKED, '', 'fffffffffffff', '')],
    ['a chunk longer than its size', reply(OK, CHUNKED, '', '1', 'ab', '')],
    ['a chunk line that ends without CR', `${reply(OK, CHUNKED, '', '1')}\na`],
    ['a chunk line without end', `${reply(OK, CHUNKED, '', '')}1;${'a'.repeat(5_000)}`],
    ['a trailer that is no field', reply(OK, CHUNKED, '', '0', 'no field', '', '')],
    ['a trailer without end', `${reply(OK, CHUNKED, '', '0', '')}x: ${'a'.repeat(17_000)}`],
  ])('%s', (_, text) => {
    expect(() => read(text)).toThrow(ReplyMalformed)
    expect(() => read(text, { sizes: Array.from(text, () => 1) })).toThrow(ReplyMalformed)
  })
})

it('any body in any chunks and any cuts is read as it was written', () => {
  const latin1 = fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes).toString('latin1'))
  fc.assert(
    fc.property(fc.array(latin1), fc.array(fc.nat(40)), (chunks, sizes) => {
      const written = chunks.filter(chunk => chunk !== '')
      const framed = written.map(chunk => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')
      const text = `${OK}\r\n${CHUNKED}\r\n\r\n${framed}0\r\n\r\n`
      expect(read(text, { sizes })).toMatchObject({ body: written.join(''), isDone: true, used: text.length })
    }),
  )
})
