import { describe, expect, it } from 'vitest'
import {
  assertAnnotations,
  assertKeyDisplayName,
  assertKeyId,
  parseAllowedModels,
  parseExpireTime,
} from './key-fields.ts'

describe('a keyId', () => {
  it.each(['a', 'web-1', `a${'b'.repeat(62)}`])('may be %s', id =>
    expect(() => assertKeyId(id)).not.toThrow(),
  )

  it.each(['', '1a', 'A', 'a-', '-a', 'a_b', 'a/b', `a${'b'.repeat(63)}`])('may not be %o', id => {
    expect(() => assertKeyId(id)).toThrow(/'keyId'/)
  })

  it.each(['a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d', 'a1b2c3d4e5f64a7b8c9d0e1f2a3b4c5d'])(
    '%s is like a UUID',
    id => {
      expect(() => assertKeyId(id)).toThrow(/UUID/)
    },
  )
})

describe('the other fields of a key', () => {
  it('takes a display name of 63 characters, whatever their length in UTF-16', () => {
    expect(() => assertKeyDisplayName('😀'.repeat(63))).not.toThrow()
    expect(() => assertKeyDisplayName('x'.repeat(64))).toThrow(/63/)
    expect(() => assertKeyDisplayName('two\nlines')).toThrow(/one line/)
  })

  it('bounds annotations in number, form and size', () => {
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`a${index}`, '']))
    expect(() => assertAnnotations({ 'example.com/owner': 'me' })).not.toThrow()
    expect(() => assertAnnotations(many)).toThrow(/64/)
    expect(() => assertAnnotations({ 'not valid': '' })).toThrow(/names/)
    expect(() => assertAnnotations({ a: 'x'.repeat(16_384) })).toThrow(/16384/)
  })

  it('reads allowed models without their prefix, each once', () => {
    expect(parseAllowedModels(['models/gemini-x', 'gemini-x', 'gemma-*'])).toEqual(['gemini-x', 'gemma-*'])
    expect(() => parseAllowedModels(['ok', 'a/b'])).toThrow(/allowedModels\[1\]/)
  })

  it('wants an expiry in the future', () => {
    expect(parseExpireTime('2030-01-01T00:00:00+01:00', 0)).toBe(Date.UTC(2029, 11, 31, 23))
    expect(() => parseExpireTime('1970-01-01T00:00:01Z', 1000)).toThrow(/future/)
  })
})
