import { assert, integer, property } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BODY_COPIED_BYTES_MAX, BODY_KEPT_BYTES_MAX, keptBody, parseBodyRetention } from './call-bodies.ts'
import { mintKeyString } from './keystring.ts'

function kept(text: string, isCut = false) {
  const bytes = new TextEncoder().encode(text)
  return keptBody({ bytes, sizeBytes: isCut ? 1_000_000 : bytes.length, isCut })
}

describe('a kept body', () => {
  it('is whole up to 64 KiB, and says where it is not', () => {
    const text = 'x'.repeat(BODY_KEPT_BYTES_MAX)
    expect(kept(text)).toEqual({ text, sizeBytes: BODY_KEPT_BYTES_MAX, isTruncated: false })
    expect(kept(`${text}y`)).toEqual({ text, sizeBytes: BODY_KEPT_BYTES_MAX + 1, isTruncated: true })
    expect(kept('x'.repeat(BODY_COPIED_BYTES_MAX), true)).toEqual({
      text,
      sizeBytes: 1_000_000,
      isTruncated: true,
    })
  })

  it('has no credential, and not the beginning of one in which it or its copy ends', () => {
    const secret = mintKeyString('key')
    expect(kept(`{"text":"my key is ${secret}"}`).text).toBe('{"text":"my key is plx_…"}')
    assert(
      property(integer({ min: -60, max: 60 }), integer({ min: 6, max: secret.length }), (from, length) => {
        const text = `${' '.repeat(BODY_KEPT_BYTES_MAX + from - secret.length)}${secret}${' '.repeat(9_000)}`
        const copy = text.slice(0, BODY_COPIED_BYTES_MAX)
        expect(kept(copy, true).text).not.toContain(secret.slice(0, length))
        // Where so much was replaced that the end of the copy is near.
        const replaced = `${secret} `.repeat(400)
        const blank = ' '.repeat(BODY_COPIED_BYTES_MAX - replaced.length - length)
        const full = `${replaced}${blank}${secret.slice(0, length)}`
        expect(kept(full, true).text).not.toContain(secret.slice(0, length))
      }),
    )
  })

  it('does not end in half a character', () => {
    const { text } = kept(`${'x'.repeat(BODY_KEPT_BYTES_MAX - 1)}€€`)
    expect(text.at(-1)).toBe('x')
  })

  it('takes no long time to look through what is made to look like tokens', () => {
    const startMs = performance.now()
    for (const text of ['eyJ', 'eyJ.', '\\neyJ', 'plx_', 'AIza', '-----BEGIN PRIVATE KEY-----', 'key='])
      kept(text.repeat(Math.ceil(BODY_COPIED_BYTES_MAX / text.length)))
    expect(performance.now() - startMs).toBeLessThan(2_000)
  })
})

describe('the retention', () => {
  it.each([1, 24, 720, null])('may be %s', hours => {
    expect(parseBodyRetention(hours)).toBe(hours)
  })
  it.each([0, -1, 721, 1.5, Number.NaN])('may not be %s', hours => {
    expect(() => parseBodyRetention(hours)).toThrow(/1 to 720/)
  })
})
