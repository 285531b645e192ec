/** Plausible token counts. Not Google's tokenizer: a fixed rule that anybody can recompute. */

/** The modalities of usageMetadata's details. */
export type Modality = 'TEXT' | 'IMAGE' | 'VIDEO' | 'AUDIO' | 'DOCUMENT'

export interface ModalityTokens {
  readonly modality: Modality
  readonly tokenCount: number
}

// In twelfths of a token: 4 characters of an alphabet make one token, 1.5 of a script without spaces.
const TOKEN = 12
const LETTER = 3
const IDEOGRAPH = 8
const IDEOGRAPHIC = /[\u2E80-\u9FFF\uAC00-\uD7AF\uF900-\uFAFF\uFF00-\uFFEF]|[\u{20000}-\u{3FFFF}]/u

function weight(character: string): number {
  return character > '\u2E7F' && IDEOGRAPHIC.test(character) ? IDEOGRAPH : LETTER
}

/** The tokens of a text, rounded up. */
export function textTokens(text: string): number {
  let sum = 0
  for (const character of text) sum += weight(character)
  return Math.ceil(sum / TOKEN)
}

/** The longest start of the text that counts at most `tokensMax`. Never cuts a surrogate pair. */
export function startWithin(text: string, tokensMax: number): string {
  let left = tokensMax * TOKEN
  let end = 0
  for (const character of text) {
    left -= weight(character)
    if (left < 0) return text.slice(0, end)
    end += character.length
  }
  return text
}

/** Google's figures for media (gemini-wire.md 6.3), durations and pages guessed from the size. */
const IMAGE_TOKENS = 258
const PAGE_TOKENS = 258
const PAGE_BYTES = 50_000
const AUDIO_TOKENS_PER_SECOND = 32
const AUDIO_BYTES_PER_SECOND = 16_000
const VIDEO_TOKENS_PER_SECOND = 258
const VIDEO_BYTES_PER_SECOND = 250_000
const TEXT_BYTES_PER_TOKEN = 4

/** What a blob of this type and size counts. */
export function mediaTokens(mimeType: string, bytes: number): ModalityTokens {
  const [kind] = mimeType.toLowerCase().split('/')
  const units = (bytesPerUnit: number): number => Math.max(1, Math.ceil(bytes / bytesPerUnit))
  if (kind === 'image') return { modality: 'IMAGE', tokenCount: IMAGE_TOKENS }
  if (kind === 'audio') {
    return { modality: 'AUDIO', tokenCount: units(AUDIO_BYTES_PER_SECOND) * AUDIO_TOKENS_PER_SECOND }
  }
  if (kind === 'video') {
    return { modality: 'VIDEO', tokenCount: units(VIDEO_BYTES_PER_SECOND) * VIDEO_TOKENS_PER_SECOND }
  }
  if (kind === 'text') return { modality: 'TEXT', tokenCount: units(TEXT_BYTES_PER_TOKEN) }
  return { modality: 'DOCUMENT', tokenCount: units(PAGE_BYTES) * PAGE_TOKENS }
}

/** One entry per modality, in order of first appearance, without those that count nothing. */
export function sumByModality(counts: Iterable<ModalityTokens>): readonly ModalityTokens[] {
  const sums = new Map<Modality, number>()
  for (const { modality, tokenCount } of counts) {
    if (tokenCount > 0) sums.set(modality, (sums.get(modality) ?? 0) + tokenCount)
  }
  return Array.from(sums, ([modality, tokenCount]) => ({ modality, tokenCount }))
}

export function totalTokens(counts: readonly ModalityTokens[]): number {
  return counts.reduce((sum, { tokenCount }) => sum + tokenCount, 0)
}
