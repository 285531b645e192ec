/** What a call asks for, as far as it decides what the call can cost (MONEY.md rules 11 to 14). */
import { type PromptSize, mediaBoundTokens } from '../domain/bound.ts'
import { invalidField } from '../domain/error.ts'
import { type Modality, TEXT_ONLY } from '../domain/price.ts'
import { type JsonObject, asObject, fieldOf, listOf } from '../domain/proto-json.ts'

export interface Demand {
  readonly prompt: PromptSize
  /** How many requests of a batch the prompt is spread over; 1 where there is no batch. */
  readonly requests: number
  /** Every modality the prompt can hold. */
  readonly inputModalities: readonly Modality[]
  /** As asked for; null where the body names none. */
  readonly maxOutputTokens: number | null
  readonly thinkingBudget: number | null
  readonly candidateCount: number
  readonly hasResponseSchema: boolean
  /** The service tier asked for; null: none. */
  readonly tier: string | null
}

const ANY_MODALITY: readonly Modality[] = ['text', 'image', 'audio', 'video', 'document']

/** What a call without a body asks for: nothing. */
export const NO_DEMAND: Demand = {
  prompt: { textBytes: 0, parts: 0, mediaTokens: 0, hasReference: false },
  requests: 1,
  inputModalities: TEXT_ONLY,
  maxOutputTokens: null,
  thinkingBudget: null,
  candidateCount: 1,
  hasResponseSchema: false,
  tier: null,
}

/** Fields that stand for input which is not in the body. */
const REFERRING_NAMES = ['fileData', 'file_data', 'continuationToken', 'continuation_token'] as const

/** A body as it was parsed, with every key that stands anywhere in it. */
export interface ReadBody {
  readonly bytes: number
  readonly requests: readonly JsonObject[]
  readonly names: ReadonlySet<string>
  /** JSON objects in it, at any depth: at least as many as it has contents, parts and declarations. */
  readonly objects: number
}

/**
 * The demand of a body. Its bytes bound the text, as JSON never spells a text shorter than UTF-8 does. Throws
 * FIELD_INVALID for a limit that is no whole number: another parser may read it as one.
 */
export function demandOf({ bytes, requests, names, objects }: ReadBody): Demand {
  const media = names.has('inlineData') || names.has('inline_data') ? mediaIn(requests) : NO_MEDIA
  const isReferring = REFERRING_NAMES.some(name => names.has(name))
  const hasReference = media.isUnbounded || isReferring
  const prompt = {
    textBytes: bytes - media.encodedBytes,
    parts: objects,
    mediaTokens: media.tokens,
    hasReference,
  }
  let demand: Demand = {
    ...NO_DEMAND,
    prompt,
    // Of a batch the body itself is one as well.
    requests: Math.max(1, requests.length - 1),
    inputModalities: isReferring ? ANY_MODALITY : media.modalities,
  }
  for (const request of requests) demand = withConfig(demand, request)
  return demand
}

/** What a request asks for beside its prompt. Only a batch has several, and generates nothing. */
function withConfig(demand: Demand, request: JsonObject): Demand {
  const tier = fieldOf(request, 'serviceTier')
  if (tier !== undefined && typeof tier !== 'string') throw invalidField('serviceTier', 'must be a string')
  if (tier !== undefined && demand.tier !== null && demand.tier !== tier)
    throw invalidField('serviceTier', 'must be the same in all requests')
  const withTier = tier === undefined ? demand : { ...demand, tier }
  const config = asObject(fieldOf(request, 'generationConfig'))
  if (config === null) return withTier
  const thinking = asObject(fieldOf(config, 'thinkingConfig'))
  const maxOutputTokens = wholeIn(config, 'maxOutputTokens', 'generationConfig') ?? 0
  return {
    ...withTier,
    maxOutputTokens: maxOutputTokens > 0 ? maxOutputTokens : null,
    thinkingBudget:
      thinking === null ? null : wholeIn(thinking, 'thinkingBudget', 'generationConfig.thinkingConfig'),
    candidateCount: Math.max(1, wholeIn(config, 'candidateCount', 'generationConfig') ?? 1),
    hasResponseSchema: SCHEMA_FIELDS.some(name => fieldOf(config, name) !== undefined),
  }
}

const SCHEMA_FIELDS = [
  'responseSchema',
  'responseJsonSchema',
  '_responseJsonSchema',
  'responseFormat',
] as const

/** An integer of proto JSON: a number or its decimal text; null where there is none. */
function wholeIn(config: JsonObject, name: string, where: string): number | null {
  const value = fieldOf(config, name)
  if (value === undefined) return null
  const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value
  if (!Number.isSafeInteger(number)) throw invalidField(`${where}.${name}`, 'must be a whole number')
  return Number(number)
}

interface Media {
  /** Base64 characters, which are no text. */
  readonly encodedBytes: number
  readonly tokens: number
  readonly modalities: readonly Modality[]
  /** Something whose size does not bound its tokens. */
  readonly isUnbounded: boolean
}

const NO_MEDIA: Media = { encodedBytes: 0, tokens: 0, modalities: TEXT_ONLY, isUnbounded: false }

function mediaIn(requests: readonly JsonObject[]): Media {
  let [encodedBytes, tokens, isUnbounded] = [0, 0, false]
  const modalities = new Set<Modality>(TEXT_ONLY)
  for (const blob of requests.flatMap(inlineData)) {
    const data = fieldOf(blob, 'data')
    const given = fieldOf(blob, 'mimeType')
    const mimeType = typeof given === 'string' ? given : ''
    const encoded = typeof data === 'string' ? data.length : 0
    const bound = mediaBoundTokens(mimeType, Math.ceil((encoded * 3) / 4))
    encodedBytes += encoded
    tokens += bound ?? 0
    isUnbounded ||= bound === null
    for (const modality of modalitiesOf(mimeType)) modalities.add(modality)
  }
  return { encodedBytes, tokens, modalities: [...modalities], isUnbounded }
}

/** Every inline blob of a request, function answers included. */
function inlineData(request: JsonObject): JsonObject[] {
  const contents = ['contents', 'content', 'systemInstruction'].flatMap(name =>
    listOf(fieldOf(request, name)),
  )
  return contents.flatMap(blobsIn)
}

function blobsIn(content: unknown): JsonObject[] {
  return listOf(fieldOf(messageIn(content, 'contents'), 'parts')).flatMap(element => {
    const part = messageIn(element, 'parts')
    const blob = fieldOf(part, 'inlineData')
    const answer = fieldOf(part, 'functionResponse')
    const answered = answer === undefined ? [] : blobsIn(answer)
    return blob === undefined ? answered : [messageIn(blob, 'inlineData'), ...answered]
  })
}

/** What is no message is refused, not left uncounted: a lenient parser may find one in it. */
function messageIn(value: unknown, where: string): JsonObject {
  const message = asObject(value)
  if (message === null) throw invalidField(where, 'must be a JSON object')
  return message
}

/** What a blob of this type can hold: anything, where the type does not tell. */
function modalitiesOf(mimeType: string): readonly Modality[] {
  const type = mimeType.toLowerCase()
  if (type === 'application/pdf') return ['document']
  const [kind] = type.split('/')
  if (kind === 'image' || kind === 'audio' || kind === 'video') return [kind]
  return kind === 'text' || type === 'application/json' ? TEXT_ONLY : ANY_MODALITY
}
