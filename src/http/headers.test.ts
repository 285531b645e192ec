import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assertSingleHeaders } from './headers.ts'

const SINGLE = ['host', 'authorization', 'x-goog-api-key', 'content-type', 'content-length']
const refused = expect.objectContaining({ reason: 'REQUEST_HEADERS_REFUSED' }) as Error

describe('assertSingleHeaders', () => {
  it.each(SINGLE)('refuses two of %s, equal or not, in any case', name => {
    for (const second of [name, name.toUpperCase(), name.replace(/^./, letter => letter.toUpperCase())]) {
      expect(() => assertSingleHeaders([name, 'a', 'accept', '*/*', second, 'a'])).toThrow(refused)
      expect(() => assertSingleHeaders([second, 'a', name, 'b'])).toThrow(refused)
    }
  })

  it('takes one of each, and several of others', () => {
    const once = SINGLE.flatMap(name => [name, 'a'])
    expect(() =>
      assertSingleHeaders([...once, 'accept', 'a', 'Accept', 'b', 'cookie', 'c', 'cookie', 'd']),
    ).not.toThrow()
  })

  it('does not take a value for a name', () => {
    expect(() => assertSingleHeaders(['host', 'host', 'x-a', 'host', 'x-b', 'host'])).not.toThrow()
  })

  it('names no value in its message', () => {
    expect(() =>
      assertSingleHeaders(['Authorization', 'Bearer s3cret', 'authorization', 'Bearer s3cret']),
    ).not.toThrow(/s3cret/)
  })

  it('for any list refuses exactly those where one of the five stands twice', () => {
    const name = fc.mixedCase(
      fc.constantFrom(...SINGLE, 'accept', 'hosts', 'x-forwarded-for', 'content-lengti'),
    )
    fc.assert(
      fc.property(fc.array(name, { maxLength: 8 }), names => {
        const lower = names.map(one => one.toLowerCase())
        const isTwice = SINGLE.some(single => lower.filter(one => one === single).length > 1)
        const check = () => assertSingleHeaders(names.flatMap(one => [one, 'v']))
        if (isTwice) expect(check).toThrow(refused)
        else expect(check).not.toThrow()
      }),
    )
  })
})
