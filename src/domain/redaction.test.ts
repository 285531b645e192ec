import { assert, nat, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mintKeyString } from './keystring.ts'
import { redactCredentials, shownName } from './redaction.ts'

describe('redaction', () => {
  it('leaves no key string of any kind in a text', () => {
    const kinds = [
      () => mintKeyString('key'),
      () => mintKeyString('token'),
      () => `AIza${'Sy-_9'.repeat(7)}`,
      () => `eyJ${'hbGciOi'.repeat(4)}.eyJ${'pc3MiOi'.repeat(9)}.${'Sig-_9'.repeat(40)}`,
      () =>
        `-----BEGIN PRIVATE KEY-----\\nMIIEv${'Qk9+/'.repeat(30)}\n-----END PRIVATE KEY-----`.slice(0, 190),
    ]
    assert(
      property(string(), nat(kinds.length - 1), string(), (before, kind, after) => {
        const secret = kinds[kind]?.() ?? ''
        const text = `${before} ${secret} ${after}`
        expect(redactCredentials(text)).not.toContain(secret.slice(-20))
        expect(shownName(secret + after)).not.toContain(secret.slice(-20))
      }),
    )
  })

  it('leaves JSON what it is', () => {
    const texts = ['-----BEGIN PRIVATE KEY-----\nMIIE\n"rest', '-----BEGIN PRIVATE KEY-----\\"', 'eyJ"\\']
    for (const text of texts)
      expect(() => JSON.parse(redactCredentials(JSON.stringify([text])))).not.toThrow()
  })

  it('leaves ordinary names as they are', () => {
    expect(redactCredentials('plx_ and plx_short, AIza')).toBe('plx_ and plx_short, AIza')
  })
})
