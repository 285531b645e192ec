import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Call } from './call.ts'
import { routeOf } from './methods.ts'
import { assertQuery, forwardedQuery, wantsEvents } from './query.ts'

const callOf = (query: string) =>
  ({ target: { path: '/', query: new URLSearchParams(query) } }) as unknown as Call
const METHODS = {
  unary: routeOf('POST', '/v1/models/m:generateContent').method,
  stream: routeOf('POST', '/v1/models/m:streamGenerateContent').method,
  list: routeOf('GET', '/v1/models').method,
}
const check = (kind: keyof typeof METHODS, query: string) => () => assertQuery(METHODS[kind], callOf(query))

it.each<[keyof typeof METHODS, string, string]>([
  ['unary', '', ''],
  ['unary', 'key=plx_a&key=plx_a', ''],
  ['unary', 'alt=json&prettyPrint=false', '?alt=json&prettyPrint=false'],
  ['unary', '%24alt=json', '?%24alt=json'],
  ['stream', 'alt=sse&key=plx_a', '?alt=sse'],
  ['stream', '$alt=sse', '?%24alt=sse'],
  ['stream', 'quotaUser=a&$.xgafv=2&uploadType=x&upload_protocol=y', ''],
  ['list', 'pageSize=5&pageToken=a%26key%3Db', '?pageSize=5&pageToken=a%26key%3Db'],
  ['list', 'page_size=5', '?page_size=5'],
])('%s ?%s goes on as %s', (kind, query, forwarded) => {
  check(kind, query)()
  expect(forwardedQuery(callOf(query))).toBe(forwarded)
})

it.each<[string, keyof typeof METHODS, string]>([
  ['a mask that hides usage', 'unary', 'fields=candidates'],
  ['its other spelling', 'stream', '$fields=candidates'],
  ['its header as a parameter', 'unary', 'X-Goog-FieldMask=candidates'],
  ['an encoding nobody here reads', 'unary', 'alt=proto'],
  ['the same with a dollar', 'unary', '%24alt=proto'],
  ['media', 'unary', 'alt=media'],
  ['events of a unary method', 'unary', 'alt=sse'],
  ['another case', 'stream', 'alt=SSE'],
  ['an empty one', 'stream', 'alt='],
  ['two that differ: each reader takes another', 'stream', 'alt=json&alt=sse'],
  ['two that differ, in the other order', 'stream', 'alt=sse&alt=json'],
  ['two that differ, under both names', 'stream', 'alt=json&$alt=sse'],
  ['two that are the same', 'stream', 'alt=sse&alt=sse'],
  ['other credentials', 'unary', 'access_token=ya29.x'],
  ['OAuth in another form', 'unary', 'oauth_token=x'],
  ['a script instead of JSON', 'unary', 'callback=x'],
  ['another HTTP method', 'unary', '%24httpMethod=GET'],
  ['a parameter of another method', 'unary', 'pageSize=5'],
  ['a parameter in another case', 'unary', 'Alt=json'],
  ['a name without value', 'unary', 'fields'],
])('refuses %s', (_, kind, query) => {
  expect(check(kind, query)).toThrow(expect.objectContaining({ reason: 'FIELD_INVALID' }))
})

describe('for any query', () => {
  it('what is let through has one shape of reply, and no credential or mask goes on', () => {
    const name = fc.constantFrom(
      'alt',
      '$alt',
      'key',
      'fields',
      '$fields',
      'prettyPrint',
      '$prettyPrint',
      'quotaUser',
      'pageSize',
    )
    const value = fc.oneof(fc.constantFrom('json', 'sse', 'proto', 'true'), fc.string())
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, value)),
        fc.constantFrom<(keyof typeof METHODS)[]>('unary', 'stream', 'list'),
        (pairs, kind) => {
          const query = new URLSearchParams(pairs).toString()
          try {
            check(kind, query)()
          } catch {
            return
          }
          const forwarded = new URLSearchParams(forwardedQuery(callOf(query)))
          expect(forwarded.has('key') || forwarded.has('fields') || forwarded.has('$fields')).toBe(false)
          const alts = [...forwarded.getAll('alt'), ...forwarded.getAll('$alt')]
          expect(alts.length).toBeLessThanOrEqual(1)
          expect(wantsEvents(callOf(query))).toBe(alts[0] === 'sse')
          if (kind !== 'stream') expect(wantsEvents(callOf(query))).toBe(false)
        },
      ),
      { numRuns: 500 },
    )
  })
})
