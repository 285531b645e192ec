/** The smallest real picture and the shortest real sound. */
import { hash } from 'node:crypto'
import { crc32, deflateSync } from 'node:zlib'

const SIDE = 16
/** Of 24 kHz audio a token is 40 ms: 25 tokens a second, 16 bits a sample. */
const SAMPLE_RATE = 24_000
const AUDIO_TOKEN_BYTES = (SAMPLE_RATE / 25) * 2
const AMPLITUDE = 6000

function chunk(type: string, data: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(data.length)
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const check = Buffer.alloc(4)
  check.writeUInt32BE(crc32(named))
  return Buffer.concat([head, named, check])
}

/** A PNG (ISO/IEC 15948) of 16 by 16 pixels in the colour of the prompt. */
export function picture(prompt: string): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(SIDE, 0)
  header.writeUInt32BE(SIDE, 4)
  header.set([8, 2], 8) // 8 bits a channel, red green blue
  const colour = hash('sha256', prompt, 'buffer').subarray(0, 3)
  const row = Buffer.concat([Buffer.of(0), ...Array.from({ length: SIDE }, () => colour)])
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(Array.from({ length: SIDE }, () => row)))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

export const SOUND_MIME_TYPE = `audio/L16;codec=pcm;rate=${SAMPLE_RATE}`

/** A tone of so many tokens' length: 16-bit little-endian PCM, one channel, its pitch the prompt's. */
export function sound(prompt: string, tokens: number): Buffer {
  const pitch = 220 + hash('sha256', prompt, 'buffer').readUInt8(0)
  const pcm = Buffer.alloc(tokens * AUDIO_TOKEN_BYTES)
  for (let sample = 0; sample * 2 < pcm.length; sample += 1) {
    pcm.writeInt16LE(
      Math.round(AMPLITUDE * Math.sin((2 * Math.PI * pitch * sample) / SAMPLE_RATE)),
      sample * 2,
    )
  }
  return pcm
}
