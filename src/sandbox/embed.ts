/** Embeddings: texts that share words and letters point the same way. */
import { hash } from 'node:crypto'
import {
  integerField,
  invalidArgument,
  messageField,
  messagesField,
  refuseUnknown,
  textField,
} from './fields.ts'
import type { Message } from './fields.ts'
import { refuseOverlong } from './models.ts'
import type { Model } from './models.ts'
import { contentText, parseContent, partTokens } from './request.ts'
import type { Content } from './request.ts'
import { sumByModality, totalTokens } from './tokens.ts'
import type { ModalityTokens } from './tokens.ts'

const EMBED_FIELDS = ['model', 'content', 'taskType', 'title', 'outputDimensionality', 'embedContentConfig']
const DIMENSIONS_MAX = 3072
const BATCH_MAX = 100

interface Embedding {
  readonly values: readonly number[]
  readonly tokens: readonly ModalityTokens[]
}

/** The reply of embedContent. Throws 400. */
export function embedContent(message: Message, model: Model): Message {
  const { values, tokens } = embed(message, model)
  return { embedding: { values }, usageMetadata: usageMetadata(tokens) }
}

/** The reply of batchEmbedContents. Throws 400. */
export function batchEmbedContents(message: Message, model: Model): Message {
  refuseUnknown(message, ['model', 'requests'])
  const requests = messagesField(message, 'requests')
  if (requests.length === 0 || requests.length > BATCH_MAX) {
    throw invalidArgument(
      `* BatchEmbedContentsRequest.requests: at least one and at most ${BATCH_MAX} requests can be in one batch\n`,
    )
  }
  const embeddings = requests.map(request => embed(request, model))
  return {
    embeddings: embeddings.map(({ values }) => ({ values })),
    usageMetadata: usageMetadata(sumByModality(embeddings.flatMap(({ tokens }) => tokens))),
  }
}

/** EmbeddingUsageMetadata: its details are `promptTokenDetails`, without the s that generateContent's have. */
function usageMetadata(tokens: readonly ModalityTokens[]): Message {
  return { promptTokenCount: totalTokens(tokens), promptTokenDetails: tokens }
}

function embed(message: Message, model: Model): Embedding {
  refuseUnknown(message, EMBED_FIELDS)
  const named = textField(message, 'model')
  if (named !== undefined && named !== '' && named.replace(/^models\//, '') !== model.id) {
    throw invalidArgument(`* EmbedContentRequest.model: must be models/${model.id}, the model in the path\n`)
  }
  const given = messageField(message, 'content')
  if (given === undefined) throw invalidArgument('* EmbedContentRequest.content: content is not specified\n')
  const content = parseContent(given, 'content')
  const tokens = sumByModality(content.parts.map(partTokens))
  if (tokens.length === 0) throw invalidArgument('* EmbedContentRequest.content: content is empty\n')
  refuseOverlong(tokens, model)
  return { values: vector(content, dimensions(message)), tokens }
}

function dimensions(message: Message): number {
  const config = messageField(message, 'embedContentConfig') ?? {}
  const asked = integerField(message, 'outputDimensionality') ?? integerField(config, 'outputDimensionality')
  const wanted = asked ?? DIMENSIONS_MAX
  if (wanted < 1 || wanted > DIMENSIONS_MAX) {
    throw invalidArgument(
      `* EmbedContentRequest.output_dimensionality: must be between 1 and ${DIMENSIONS_MAX}\n`,
    )
  }
  return wanted
}

const FEATURES_MAX = 4000
const DIRECTIONS_PER_FEATURE = 24
const DECIMALS = 8

/** Words and their three-letter pieces; of a medium its kind and size. */
function features(content: Content): readonly string[] {
  const words =
    contentText(content)
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? []
  const pieces = words.slice(0, FEATURES_MAX).flatMap(word => {
    const padded = ` ${word} `
    return [word, ...Array.from({ length: padded.length - 2 }, (_, at) => padded.slice(at, at + 3))]
  })
  const media = content.parts.flatMap(part =>
    part.kind === 'media' ? [part.mimeType, `${part.mimeType} ${part.bytes}`] : [],
  )
  // The first feature is everybody's, so that no vector has the length zero.
  return ['', ...pieces.slice(0, FEATURES_MAX), ...media]
}

/** Feature hashing into so many dimensions, of length 1. */
function vector(content: Content, size: number): readonly number[] {
  const sums = new Float64Array(size)
  for (const feature of features(content)) {
    let state = hash('sha256', feature, 'buffer').readUInt32LE(0) | 1
    for (let step = 0; step < DIRECTIONS_PER_FEATURE; step += 1) {
      // xorshift32 (Marsaglia 2003)
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      const at = (state >>> 1) % size
      sums[at] = (sums[at] ?? 0) + ((state & 1) === 0 ? 1 : -1)
    }
  }
  const length = Math.hypot(...sums)
  // Signs can cancel each other out in a space of few dimensions.
  if (length === 0) return Array.from({ length: size }, (_, at) => (at === 0 ? 1 : 0))
  return Array.from(sums, sum => Number((sum / length).toFixed(DECIMALS)))
}
