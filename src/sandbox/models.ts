/** The models the sandbox has: some of Google's, and those whose name is a behaviour. docs/sandbox.md shows the table. */
import { ApiError } from '../domain/error.ts'
import { invalidArgument } from './fields.ts'
import type { Message } from './fields.ts'
import { totalTokens } from './tokens.ts'
import type { ModalityTokens } from './tokens.ts'

/** How a model answers. `answer` is the ordinary way. */
export type Behaviour =
  | 'answer'
  | 'quota'
  | 'internal'
  | 'overloaded'
  | 'slow'
  | 'hang'
  | 'truncate'
  | 'garbage'
  | 'credential'
  | 'max'

export const VERBS = [
  'generateContent',
  'streamGenerateContent',
  'countTokens',
  'embedContent',
  'batchEmbedContents',
] as const
export type Verb = (typeof VERBS)[number]

export interface Model {
  /** Without `models/`. */
  readonly id: string
  readonly displayName: string
  readonly description: string
  readonly inputTokenLimit: number
  readonly outputTokenLimit: number
  readonly verbs: readonly Verb[]
  /** What it can put out. */
  readonly output: readonly ('TEXT' | 'IMAGE' | 'AUDIO')[]
  /** Tokens it thinks where the request says nothing; null if it cannot think. */
  readonly thoughtsDefault: number | null
  /** The model behind an alias; its own id otherwise. Sent back as modelVersion. */
  readonly modelVersion: string
  readonly behaviour: Behaviour
}

const GENERATE: readonly Verb[] = ['generateContent', 'streamGenerateContent', 'countTokens']
const EMBED: readonly Verb[] = ['embedContent', 'batchEmbedContents', 'countTokens']

function model(
  id: string,
  displayName: string,
  rest: Partial<Omit<Model, 'id' | 'displayName'>> = {},
): Model {
  return {
    id,
    displayName,
    description: `${displayName}, as the sandbox plays it.`,
    inputTokenLimit: 1_048_576,
    outputTokenLimit: 65_536,
    verbs: GENERATE,
    output: ['TEXT'],
    thoughtsDefault: 24,
    modelVersion: id,
    behaviour: 'answer',
    ...rest,
  }
}

function behaving(id: string, behaviour: Behaviour, description: string): Model {
  return model(id, `Sandbox ${behaviour}`, {
    description,
    verbs: VERBS,
    outputTokenLimit: 8192,
    thoughtsDefault: null,
    behaviour,
  })
}

const embedding = { verbs: EMBED, outputTokenLimit: 1, thoughtsDefault: null }

/** In the order models.list gives them. */
export const MODELS: readonly Model[] = [
  model('gemini-4-hydrogen', 'Gemini 4 Hydrogen', { thoughtsDefault: 48 }),
  model('gemini-3.8-flash', 'Gemini 3.8 Flash'),
  model('gemini-3.5-flash-lite', 'Gemini 3.5 Flash-Lite', { thoughtsDefault: 0 }),
  model('gemini-3.1-pro-preview', 'Gemini 3.1 Pro Preview', { thoughtsDefault: 48 }),
  model('gemini-2.5-pro', 'Gemini 2.5 Pro', { thoughtsDefault: 48 }),
  model('gemini-2.5-flash', 'Gemini 2.5 Flash'),
  model('gemini-flash-latest', 'Gemini Flash Latest', { modelVersion: 'gemini-3.8-flash' }),
  model('gemini-pro-latest', 'Gemini Pro Latest', {
    thoughtsDefault: 48,
    modelVersion: 'gemini-3.1-pro-preview',
  }),
  model('gemini-3.1-flash-lite-image', 'Gemini 3.1 Flash-Lite Image', {
    inputTokenLimit: 65_536,
    outputTokenLimit: 32_768,
    output: ['TEXT', 'IMAGE'],
    thoughtsDefault: null,
  }),
  model('gemini-3.8-flash-tts', 'Gemini 3.8 Flash TTS', {
    inputTokenLimit: 8192,
    outputTokenLimit: 16_384,
    output: ['AUDIO'],
    thoughtsDefault: null,
  }),
  model('gemini-embedding-001', 'Gemini Embedding 001', { inputTokenLimit: 2048, ...embedding }),
  model('gemini-embedding-2', 'Gemini Embedding 2', { inputTokenLimit: 8192, ...embedding }),
  model('gemma-4-31b-it', 'Gemma 4 31B', {
    inputTokenLimit: 262_144,
    outputTokenLimit: 32_768,
    thoughtsDefault: null,
  }),
  behaving('sandbox-429', 'quota', 'Answers 429 with the full quota error and RetryInfo.'),
  behaving('sandbox-500', 'internal', 'Answers 500 INTERNAL.'),
  behaving('sandbox-503', 'overloaded', 'Answers 503 UNAVAILABLE: overloaded.'),
  behaving('sandbox-slow', 'slow', 'Takes about two seconds: a steady stream, or a late reply.'),
  behaving('sandbox-hang', 'hang', 'Accepts the call and never answers.'),
  behaving('sandbox-truncate', 'truncate', 'Sends the start of the reply, then drops the connection.'),
  behaving('sandbox-garbage', 'garbage', 'Answers 200 with a body that is no JSON.'),
  behaving(
    'sandbox-credential',
    'credential',
    'Answers 403 and prints the received credential in the error.',
  ),
  behaving('sandbox-max', 'max', 'Always bills exactly maxOutputTokens.'),
]

const byId = new Map(MODELS.map(model => [model.id, model]))

const PAGE_SIZE_DEFAULT = 50
const PAGE_SIZE_MAX = 1000

function notFound(id: string, version: string, method: string): ApiError {
  const message =
    `models/${id} is not found for API version ${version}, or is not supported for ${method}. ` +
    'Call ModelService.ListModels to see the list of available models and their supported methods.'
  return new ApiError('MODEL_NOT_FOUND', message, { errorInfo: false })
}

/** The model, if it has the verb. Throws Google's 404 otherwise. */
export function modelFor(id: string, version: string, verb: Verb): Model {
  const found = byId.get(id)
  if (found?.verbs.includes(verb) !== true) throw notFound(id, version, verb)
  return found
}

/** Throws Google's 400 where the prompt counts more than the model takes. */
export function refuseOverlong(promptTokens: readonly ModalityTokens[], model: Model): void {
  const count = totalTokens(promptTokens)
  if (count <= model.inputTokenLimit) return
  throw invalidArgument(
    `The input token count (${count}) exceeds the maximum number of tokens allowed (${model.inputTokenLimit}).`,
  )
}

/** GET models/{id}. Throws Google's 404. */
export function getModel(id: string, version: string): Message {
  const found = byId.get(id)
  if (found === undefined) throw notFound(id, version, 'GetModel')
  return modelResource(found)
}

/** GET models. `pageToken` is the offset of the page, in base64. Throws 400 for a bad size or token. */
export function listModels(query: URLSearchParams): Message {
  const size = Number(query.get('pageSize') ?? query.get('page_size') ?? 0)
  if (!Number.isInteger(size) || size < 0) throw invalidArgument('Page size must not be negative.')
  const token = query.get('pageToken') ?? query.get('page_token') ?? ''
  const start = token === '' ? 0 : Number(Buffer.from(token, 'base64url').toString('latin1'))
  if (!Number.isInteger(start) || start < 0 || start > MODELS.length) {
    throw invalidArgument('Page token is not valid.')
  }
  const end = start + (size === 0 ? PAGE_SIZE_DEFAULT : Math.min(size, PAGE_SIZE_MAX))
  const models = MODELS.slice(start, end).map(modelResource)
  return end < MODELS.length
    ? { models, nextPageToken: Buffer.from(String(end), 'latin1').toString('base64url') }
    : { models }
}

function modelResource(model: Model): Message {
  return {
    name: `models/${model.id}`,
    version: '001',
    displayName: model.displayName,
    description: model.description,
    inputTokenLimit: model.inputTokenLimit,
    outputTokenLimit: model.outputTokenLimit,
    // Google lists neither streaming nor batching of embeddings: they come with the unary method.
    supportedGenerationMethods: model.verbs.filter(
      verb => verb !== 'streamGenerateContent' && verb !== 'batchEmbedContents',
    ),
    ...(model.verbs.includes('generateContent')
      ? { temperature: 1, topP: 0.95, topK: 64, maxTemperature: 2 }
      : {}),
    ...(model.thoughtsDefault === null ? {} : { thinking: true }),
  }
}
