import { crc32 } from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isKeyString, maskKeyString, mintKeyString } from './keystring.ts'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const LETTERS = ALPHABET.split('')

/** The checksum as anybody can compute it: CRC-32 of the secret in base62, six digits. */
function checksum(secret: string): string {
  let rest = crc32(secret)
  let digits = ''
  for (let place = 0; place < 6; place++) {
    digits = ALPHABET.charAt(rest % 62) + digits
    rest = Math.floor(rest / 62)
  }
  return digits
}

const secrets = fc.string({ unit: fc.constantFrom(...LETTERS), minLength: 30, maxLength: 30 })

describe('mintKeyString', () => {
  it('has the prefix of its kind, 30 characters of base62 and their CRC-32', () => {
    for (let count = 0; count < 1_000; count++) {
      const key = mintKeyString('key')
      const token = mintKeyString('token')
      expect(key).toMatch(/^plx_[0-9A-Za-z]{36}$/)
      expect(token).toMatch(/^plx_pat_[0-9A-Za-z]{36}$/)
      expect(key.slice(-6)).toBe(checksum(key.slice(-36, -6)))
      expect(isKeyString(key, 'key')).toBe(true)
      expect(isKeyString(token, 'token')).toBe(true)
      expect(isKeyString(key, 'token')).toBe(false)
      expect(isKeyString(token, 'key')).toBe(false)
    }
  })

  it('favours no character', () => {
    const counts = new Map<string, number>()
    const KEYS = 4_000
    for (let count = 0; count < KEYS; count++) {
      for (const letter of mintKeyString('key').slice(4, 34))
        counts.set(letter, (counts.get(letter) ?? 0) + 1)
    }
    const expected = (KEYS * 30) / 62
    const chiSquared = LETTERS.reduce(
      (sum, letter) => sum + ((counts.get(letter) ?? 0) - expected) ** 2 / expected,
      0,
    )
    // 61 degrees of freedom: chance passes 140 less than once in 10^7 runs; a plain `byte % 62` gives about 800.
    expect(chiSquared).toBeLessThan(140)
  })

  it('never mints one twice', () => {
    expect(new Set(Array.from({ length: 10_000 }, () => mintKeyString('key'))).size).toBe(10_000)
  })
})

describe('isKeyString', () => {
  it('takes any secret with the right checksum', () => {
    fc.assert(
      fc.property(secrets, secret => {
        expect(isKeyString(`plx_${secret}${checksum(secret)}`, 'key')).toBe(true)
        expect(isKeyString(`plx_pat_${secret}${checksum(secret)}`, 'token')).toBe(true)
      }),
    )
  })

  it('refuses one with any character changed, swapped, missing or added', () => {
    const change = fc.tuple(fc.nat(39), fc.constantFrom(...LETTERS, '_', '-', ' ', '\n', 'é', ''))
    fc.assert(
      fc.property(secrets, change, (secret, [at, put]) => {
        const key = `plx_${secret}${checksum(secret)}`
        const changed = key.slice(0, at) + put + key.slice(at + 1)
        expect(isKeyString(changed, 'key')).toBe(changed === key)
        const added = key.slice(0, at) + put + key.slice(at)
        expect(isKeyString(added, 'key')).toBe(added === key)
        const swapped = key.slice(0, at) + key.charAt(at + 1) + key.charAt(at) + key.slice(at + 2)
        expect(isKeyString(swapped, 'key')).toBe(swapped === key)
      }),
      { numRuns: 1_000 },
    )
  })

  it('refuses 100,000 strings of the right form', () => {
    let accepted = 0
    for (let count = 0; count < 100_000; count++) {
      const letters = Array.from(crypto.getRandomValues(new Uint8Array(36)), byte =>
        ALPHABET.charAt(byte % 62),
      )
      if (isKeyString(`plx_${letters.join('')}`, 'key')) accepted++
    }
    expect(accepted).toBe(0)
  })

  it('refuses any other text', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        expect(isKeyString(text, 'key')).toBe(false)
      }),
    )
    const key = mintKeyString('key')
    for (const text of [`${key}\n`, ` ${key}`, key.toUpperCase(), key.slice(4), '', 'plx_', 'plx_pat_'])
      expect(isKeyString(text, 'key')).toBe(false)
  })
})

describe('maskKeyString', () => {
  it.each(['key', 'token'] as const)('shows the prefix and four characters of a %s', kind => {
    const text = mintKeyString(kind)
    expect(maskKeyString(text)).toBe(`${kind === 'key' ? 'plx_' : 'plx_pat_'}…${text.slice(-4)}`)
  })
})
