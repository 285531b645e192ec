import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ApiError } from '../domain/error.ts'
import { KeyRing } from './master-key.ts'
import { type SecretPlace, rewrap, seal, unseal } from './seal.ts'

const [OLD, NEW, FOREIGN] = [1, 2, 3].map(byte => Buffer.alloc(32, byte).toString('base64')) as [
  string,
  string,
  string,
]
const RING = new KeyRing([OLD])
const PLACE: SecretPlace = {
  table: 'key',
  row: '0f9c',
  column: 'key_string',
  projectNumber: '415104041262',
  version: 1,
}

function refusalOf(open: () => unknown): string {
  try {
    open()
  } catch (error) {
    if (error instanceof ApiError) return error.reason
    throw error
  }
  return 'it opened'
}

describe('a sealed secret', () => {
  test('opens in its place, whatever text it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        expect(unseal(PLACE, seal(PLACE, text, RING.first), RING)).toBe(text)
      }),
    )
  })

  test('holds nothing of the text and is another one each time', () => {
    const [one, other] = [0, 1].map(() => seal(PLACE, 'plx_secret', RING.first))
    expect(one).not.toBe(other)
    expect(Buffer.from(one?.split('.').at(-1) ?? '', 'base64url').toString('latin1')).not.toContain('secret')
  })

  test('is refused with any one byte of it changed to any of several others, dropped or doubled', () => {
    const sealed = seal(PLACE, 'plx_012345678901234567890123456789ABCDEF', RING.first)
    for (let place = 0; place < sealed.length; place += 1) {
      const [before, byte, after] = [sealed.slice(0, place), sealed.charAt(place), sealed.slice(place + 1)]
      // All bits of a base64url character, its case, and characters that are none.
      const others = 'AaBbQqZz0159_-+/=. \n'.split('').filter(other => other !== byte)
      for (const changed of [...others, '', byte + byte]) {
        expect(
          refusalOf(() => unseal(PLACE, before + changed + after, RING)),
          `byte ${place}: ${byte} -> ${JSON.stringify(changed)}`,
        ).toBe('SECRET_UNREADABLE')
      }
    }
  })

  test('is refused with any one bit of what its parts encode changed', () => {
    const parts = seal(PLACE, 'plx_secret', RING.first).split('.')
    for (const part of [2, 3, 4]) {
      const bytes = Buffer.from(parts[part] ?? '', 'base64url')
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const flipped = Buffer.from(bytes)
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const changed = parts.with(part, flipped.toString('base64url')).join('.')
        expect(refusalOf(() => unseal(PLACE, changed, RING))).toBe('SECRET_UNREADABLE')
      }
    }
  })

  test.each([
    ['table', { table: 'token' }],
    ['row', { row: '0f9d' }],
    ['column', { column: 'key_strin' }],
    ['project', { projectNumber: '415104041263' }],
    ['project of the organization', { projectNumber: null }],
    ['version', { version: 2 }],
    ['border between two fields', { table: 'key0', row: 'f9c' }],
  ])('is refused when moved to another %s', (_, part) => {
    const sealed = seal(PLACE, 'plx_secret', RING.first)
    expect(refusalOf(() => unseal({ ...PLACE, ...part }, sealed, RING))).toBe('SECRET_UNREADABLE')
  })

  test('is refused with parts of another secret of the same place', () => {
    const [one, other] = [0, 1].map(() => seal(PLACE, 'plx_secret', RING.first).split('.'))
    for (const part of [2, 3, 4]) {
      const mixed = (one ?? []).with(part, other?.[part] ?? '').join('.')
      expect(refusalOf(() => unseal(PLACE, mixed, RING))).toBe('SECRET_UNREADABLE')
    }
  })

  test('opens under its own master key only, and under the new one once wrapped anew', () => {
    const sealed = seal(PLACE, 'plx_secret', RING.first)
    expect(refusalOf(() => unseal(PLACE, sealed, new KeyRing([FOREIGN])))).toBe('SECRET_UNREADABLE')
    const both = new KeyRing([NEW, OLD])
    expect(unseal(PLACE, sealed, both)).toBe('plx_secret')
    const wrapped = rewrap(PLACE, sealed, { ring: both, to: both.first })
    expect(unseal(PLACE, wrapped, new KeyRing([NEW]))).toBe('plx_secret')
    expect(refusalOf(() => unseal(PLACE, wrapped, RING))).toBe('SECRET_UNREADABLE')
  })
})
