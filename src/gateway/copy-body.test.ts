import { assert, nat, property, string, uint8Array } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BODY_COPIED_BYTES_MAX } from '../domain/call-bodies.ts'
import { copyBody } from './copy-body.ts'

const IMAGE = Buffer.alloc(3_000, 9)
const BASE64 = IMAGE.toString('base64')

function copied(body: string, bytesMax?: number) {
  const { bytes, ...rest } = copyBody(Buffer.from(body), bytesMax)
  return { text: Buffer.from(bytes).toString('utf8'), ...rest }
}

describe('the copy of a body', () => {
  it('is the body, where that has no media and is not larger than there is room', () => {
    assert(
      property(string(), body => {
        expect(copied(body)).toEqual({ text: body, sizeBytes: Buffer.byteLength(body), isCut: false })
      }),
    )
  })

  it('is never larger than there is room, and says that it was cut', () => {
    assert(
      property(uint8Array({ maxLength: 300 }), nat(200), (body, bytesMax) => {
        const { bytes, sizeBytes, isCut } = copyBody(body, bytesMax)
        expect(bytes.length).toBeLessThanOrEqual(bytesMax)
        expect([sizeBytes, isCut]).toEqual([body.length, bytes.length < body.length])
      }),
    )
  })

  it.each([
    ['before its data', { mimeType: 'image/png', data: BASE64 }, 'image/png'],
    ['behind it', { data: BASE64, mimeType: 'audio/wav' }, 'audio/wav'],
    ['in the other spelling', { mime_type: 'video/mp4', data: BASE64 }, 'video/mp4'],
    ['nowhere', { data: BASE64 }, 'media'],
  ])('has media replaced by its type, said %s, and its size', (_, inlineData, type) => {
    for (const space of [0, 2]) {
      const body = JSON.stringify({ parts: [{ inlineData }, { text: 'what is it?' }] }, null, space)
      const { text, sizeBytes, isCut } = copied(body)
      expect(JSON.parse(text)).toEqual({
        parts: [
          { inlineData: { ...inlineData, data: `[${type}, 3000 bytes, not kept]` } },
          { text: 'what is it?' },
        ],
      })
      expect([sizeBytes, isCut]).toEqual([Buffer.byteLength(body), false])
    }
  })

  it('has what stands behind media that is larger than all that is kept', () => {
    const data = Buffer.alloc(3 * 1024 * 1024, 7).toString('base64')
    const parts = [{ inlineData: { mimeType: 'image/png', data } }, { text: 'the question' }]
    expect(copied(JSON.stringify({ parts }))).toMatchObject({
      text: expect.stringContaining('"the question"'),
      isCut: false,
    })
  })

  it('has a field of that name which is no media', () => {
    const response = { data: 'x y '.repeat(200), rows: [{ data: 'QUJD' }, { data: 7 }, { data: null }] }
    expect(copied(JSON.stringify(response)).text).toBe(JSON.stringify(response))
  })

  it('ends within media that broke off', () => {
    expect(copied(`{"data": "${BASE64}`).text).toBe('{"data": "[media, 3000 bytes, not kept]')
  })

  it('keeps none of the memory of what it was taken from', () => {
    const body = Buffer.from('x'.repeat(BODY_COPIED_BYTES_MAX + 1))
    const { bytes } = copyBody(body)
    body.fill('y')
    expect(bytes.every(byte => byte === 120)).toBe(true)
  })
})
