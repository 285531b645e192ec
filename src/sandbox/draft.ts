/** The parts of an answer, each with what it is billed. */
import { answerText, fillerCharacters, thoughtsText } from './answer.ts'
import { textsField } from './fields.ts'
import type { Message } from './fields.ts'
import { picture, sound, SOUND_MIME_TYPE } from './media.ts'
import type { Model } from './models.ts'
import { question } from './request.ts'
import type { GenerateRequest } from './request.ts'
import { valueFor } from './schema-value.ts'
import type { Settings } from './settings.ts'
import { startWithin, textTokens } from './tokens.ts'
import type { Modality } from './tokens.ts'
import { functionCalls } from './tools.ts'
import type { ToolWork } from './tools.ts'

/** A part of an answer and what it is billed. Thoughts bill nothing here: their tokens are in `thoughtsTokens`. */
export interface AnswerPart {
  readonly part: Message
  readonly modality: Modality
  readonly tokenCount: number
}

/** At 1K, which is what Google bills for the picture of a Flash-Lite image model. */
const IMAGE_TOKENS = 1120
const SOUND_TOKENS_MIN = 8
const SOUND_TOKENS_MAX = 50
const SOUND_PER_TEXT_TOKEN = 4
const CHARACTERS_PER_TOKEN = 4

/** The summary of what was thought, no longer than the thoughts. */
export function thoughtPart(request: GenerateRequest, tokens: number): AnswerPart {
  return text(startWithin(thoughtsText(request), tokens), { thought: true })
}

function text(words: string, flags: Message = {}): AnswerPart {
  const tokenCount = flags['thought'] === true ? 0 : textTokens(words)
  return { part: { text: words, ...flags }, modality: 'TEXT', tokenCount }
}

function data(
  part: Message,
  modality: Modality = 'TEXT',
  tokenCount = textTokens(JSON.stringify(part)),
): AnswerPart {
  return { part, modality, tokenCount }
}

/** Text that counts exactly so many tokens. */
export function fillerPart(tokens: number): AnswerPart {
  return text(fillerCharacters(tokens * CHARACTERS_PER_TOKEN))
}

interface Draft {
  readonly request: GenerateRequest
  readonly settings: Settings
  readonly model: Model
  /** Of the candidate. */
  readonly index: number
  readonly work: ToolWork
  /** Sound is made to this measure; other parts are cut to it later. */
  readonly tokensMax: number
}

/** The parts of a candidate as they would be without limits. */
export function draftParts(draft: Draft): readonly AnswerPart[] {
  const { request, settings, model, index, work } = draft
  if (model.output.includes('AUDIO')) return [soundPart(request, draft.tokensMax)]
  const calls = functionCalls(request)
  if (calls.length > 0) return calls.map((functionCall, nth) => callPart(functionCall, model, nth))
  const worked = index === 0 ? work.parts.map(part => data(part)) : []
  const wantsImage = settings.modalities.length === 0 || settings.modalities.includes('IMAGE')
  const pictures = model.output.includes('IMAGE') && wantsImage ? [picturePart(request)] : []
  return [...worked, text(worded(draft)), ...pictures]
}

function callPart(functionCall: Message, model: Model, nth: number): AnswerPart {
  const { tokenCount } = data({ functionCall })
  // Only the first of parallel calls is signed, and only by models that think.
  const signed = model.thoughtsDefault !== null && nth === 0
  const thoughtSignature = Buffer.from(`sandbox ${String(functionCall['id'])}`).toString('base64')
  return data(signed ? { functionCall, thoughtSignature } : { functionCall }, 'TEXT', tokenCount)
}

function picturePart(request: GenerateRequest): AnswerPart {
  const inlineData = { mimeType: 'image/png', data: picture(question(request)).toString('base64') }
  return data({ inlineData }, 'IMAGE', IMAGE_TOKENS)
}

function soundPart(request: GenerateRequest, tokensMax: number): AnswerPart {
  const spoken = Math.max(SOUND_TOKENS_MIN, textTokens(question(request)) * SOUND_PER_TEXT_TOKEN)
  const tokens = Math.min(spoken, SOUND_TOKENS_MAX, tokensMax)
  const pcm = sound(question(request), tokens)
  return data({ inlineData: { mimeType: SOUND_MIME_TYPE, data: pcm.toString('base64') } }, 'AUDIO', tokens)
}

function worded({ request, settings, model, index }: Draft): string {
  const { mimeType, schema } = settings
  if (mimeType === 'text/x.enum' && schema !== null) {
    const choices = textsField(schema, 'enum')
    return choices[index % choices.length] ?? ''
  }
  const words = answerText(request, model, index)
  if (mimeType !== 'application/json') return words
  return JSON.stringify(schema === null ? { answer: words } : valueFor(schema, question(request), index))
}
