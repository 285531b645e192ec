import { InvalidArgumentError } from 'commander'
import { describe, expect, test } from 'vitest'
import {
  androidApplication,
  apiTarget,
  list,
  listOf,
  listOrNone,
  modelAliases,
  pairs,
  timeAgo,
  timeIn,
  toolsOrNone,
} from './flags.ts'

/** The value after the flag was given once for each text, as commander collects it. */
function collected<Value>(
  read: (text: string, before?: Value) => Value,
  texts: readonly string[],
): Value | undefined {
  return texts.reduce<Value | undefined>((before, text) => read(text, before), undefined)
}

describe('lists', () => {
  test('take commas and repetition', () => {
    expect(collected(list, ['a, b', 'c,'])).toEqual(['a', 'b', 'c'])
  })

  test('must name something, or say none', () => {
    expect(() => list(' , ')).toThrow(InvalidArgumentError)
    expect(collected(listOrNone, ['none'])).toEqual([])
    expect(() => collected(listOrNone, ['a', 'none'])).toThrow(InvalidArgumentError)
  })

  test('of words refuse others and name them all', () => {
    expect(collected(listOf(['key', 'model']), ['key', 'model'])).toEqual(['key', 'model'])
    expect(() => listOf(['key', 'model'])('user')).toThrow("'user' is none of key, model.")
    expect(collected(toolsOrNone, ['googleSearch,urlContext'])).toEqual(['googleSearch', 'urlContext'])
    expect(() => toolsOrNone('google_search')).toThrow(/googleSearch/)
  })
})

describe('pairs', () => {
  test('keep everything after the first equals sign', () => {
    expect(collected(pairs, ['a=1,b=x=y', 'c='])).toEqual({ a: '1', b: 'x=y', c: '' })
  })

  test.each(['a', '=b', ''])('%j is refused', text => {
    expect(() => pairs(text)).toThrow(InvalidArgumentError)
  })
})

describe('API targets are read as gcloud reads them', () => {
  const service = 'generativelanguage.googleapis.com'
  test.each([
    [[`service=${service}`], [{ service }]],
    [[`service=${service},methods=A;B`], [{ service, methods: ['A', 'B'] }]],
    [[`service=${service},methods=A,methods=B`], [{ service, methods: ['A', 'B'] }]],
    [
      [`methods=A,service=${service}`, 'service=x'],
      [{ service, methods: ['A'] }, { service: 'x' }],
    ],
    [[`service=${service},methods=`], [{ service }]],
  ])('%j', (texts, targets) => {
    expect(collected(apiTarget, texts)).toEqual(targets)
  })

  test.each(['methods=A', service, 'service=a,service=b', 'service=a,method=B', ''])(
    '%j is refused',
    text => {
      expect(() => apiTarget(text)).toThrow(InvalidArgumentError)
    },
  )
})

test('Android applications are read as gcloud reads them', () => {
  const text = 'sha1_fingerprint=AA:BB,package_name=com.example'
  expect(androidApplication(text)).toEqual([{ sha1Fingerprint: 'AA:BB', packageName: 'com.example' }])
  expect(() => androidApplication('package_name=com.example')).toThrow(InvalidArgumentError)
  expect(() => androidApplication(`${text},package_name=b`)).toThrow(InvalidArgumentError)
})

test('model aliases may name an API version', () => {
  expect(collected(modelAliases, ['pro=gemini-3.8-pro', 'old=gemini-3.8-flash@v1beta'])).toEqual({
    pro: { model: 'gemini-3.8-pro' },
    old: { model: 'gemini-3.8-flash', apiVersion: 'v1beta' },
  })
  expect(() => modelAliases('old=gemini@v2')).toThrow(InvalidArgumentError)
})

test('times are distances or moments, and go out in UTC', () => {
  expect(timeAgo('2027-01-31T12:00:00+02:00')).toBe('2027-01-31T10:00:00.000Z')
  expect(Date.now() - Date.parse(timeAgo('7d'))).toBeCloseTo(7 * 86_400_000, -4)
  expect(Date.parse(timeIn('90d')) - Date.now()).toBeCloseTo(90 * 86_400_000, -4)
  expect(() => timeIn('2027-01-31')).toThrow(InvalidArgumentError)
  expect(() => timeAgo('yesterday')).toThrow(InvalidArgumentError)
})
