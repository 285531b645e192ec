import { assert, nat, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mintKeyString } from './keystring.ts'
import { redactCredentials, shownName } from './redaction.ts'

describe('redaction', () => {
  it('leaves no key string of any kind in a text', () => {
    const kinds = [() => mintKeyString('key'), () => mintKeyString('token'), () => `AIza${'Sy-_9'.repeat(7)}`]
    assert(
      property(string(), nat(kinds.length - 1), string(), (before, kind, after) => {
        const secret = kinds[kind]?.() ?? ''
        const text = `${before} ${secret} ${after}`
        expect(redactCredentials(text)).not.toContain(secret.slice(-20))
        expect(shownName(secret + after)).not.toContain(secret.slice(-20))
      }),
    )
  })

  it('leaves ordinary names as they are', () => {
    expect(redactCredentials('plx_ and plx_short, AIza')).toBe('plx_ and plx_short, AIza')
  })
})
