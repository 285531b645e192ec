/** The data plane as `@google/genai` meets it, unmodified: only its base URL and key are ours. */
import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { API_VERSIONS, type ApiVersion } from '../src/domain/project.ts'
import { ceiling } from './ceiling.ts'
import {
  ALLOWED_REFERRER,
  CREDENTIAL_LIKE,
  type ClientKeys,
  MODEL,
  PROJECT,
  type Refusal,
  createClientKeys,
  createKeyString,
  messageFor,
  reasonIn,
} from './client-keys.ts'
import { type Pollux, startPollux } from './pollux.ts'

const load = createRequire(new URL('clients/package.json', import.meta.url))
const { ApiError, GoogleGenAI } = load('@google/genai')

const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

let pollux: Pollux
let keys: ClientKeys
beforeAll(async () => {
  pollux = await startPollux()
  keys = await createClientKeys(pollux)
})
afterAll(() => pollux.stop())

/** A client of this version; without one, of the version that the SDK itself prefers. */
function client(options: {
  readonly keyString?: string | null
  readonly apiVersion?: ApiVersion
  readonly headers?: Readonly<Record<string, string>>
}) {
  const { keyString = keys.plain, apiVersion, headers } = options
  return new GoogleGenAI({
    apiKey: keyString ?? 'unused',
    httpOptions: {
      baseUrl: pollux.origin,
      ...(apiVersion === undefined ? {} : { apiVersion }),
      // Without a key the SDK looks for Google credentials of this machine; an empty header is its way to send none.
      headers: { ...headers, ...(keyString === null ? { 'x-goog-api-key': '' } : {}) },
    },
  })
}

const failure = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'no error',
    (error: unknown) => error,
  )

/** Every chunk of a stream. Rejects as the stream does. */
async function chunksOf<Chunk>(stream: Promise<AsyncIterable<Chunk>>): Promise<Chunk[]> {
  const chunks: Chunk[] = []
  for await (const chunk of await stream) chunks.push(chunk)
  return chunks
}

describe.each(API_VERSIONS)('@google/genai on %s', apiVersion => {
  const models = () => client({ apiVersion }).models

  it('generates text, with usage', async () => {
    const reply = await models().generateContent({ model: MODEL, contents: 'Say green apples' })
    expect(reply.text).toBe('green apples')
    expect(reply).toMatchObject({
      modelVersion: MODEL,
      candidates: [{ finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: expect.any(Number), candidatesTokenCount: expect.any(Number) },
    })
  })

  it('streams the same text in several chunks, the last with the whole usage', async () => {
    const request = { model: MODEL, contents: 'Count to ten in 60 words' }
    const whole = await models().generateContent(request)
    const chunks = await chunksOf<typeof whole>(models().generateContentStream(request))
    expect(chunks.length).toBeGreaterThan(2)
    expect(chunks.map(chunk => chunk.text).join('')).toBe(whole.text)
    const last = chunks.at(-1)
    expect(last.candidates[0].finishReason).toBe('STOP')
    expect(last.usageMetadata.totalTokenCount).toBe(whole.usageMetadata.totalTokenCount)
  })

  it('counts what the call is then billed', async () => {
    const request = { model: MODEL, contents: 'How many tokens are these?' }
    const { totalTokens } = await models().countTokens(request)
    const { usageMetadata } = await models().generateContent(request)
    expect(totalTokens).toBe(usageMetadata.promptTokenCount)
  })

  it('embeds one text and several, in the dimension asked for', async () => {
    const config = { outputDimensionality: 256 }
    const one = await models().embedContent({ model: 'gemini-embedding-001', contents: 'apple', config })
    const two = await models().embedContent({
      model: 'gemini-embedding-001',
      contents: ['apple', 'pear'],
      config,
    })
    expect(one.embeddings).toHaveLength(1)
    expect(two.embeddings).toHaveLength(2)
    expect(one.embeddings[0].values).toHaveLength(256)
    expect(two.embeddings[0].values).toEqual(one.embeddings[0].values)
  })

  it('lists models over pages, and gets one', async () => {
    const names: string[] = []
    for await (const model of await models().list({ config: { pageSize: 5 } })) names.push(model.name)
    expect(names).toContain(`models/${MODEL}`)
    expect(names.length).toBeGreaterThan(10)
    expect(new Set(names).size).toBe(names.length)
    const model = await models().get({ model: MODEL })
    expect(model).toMatchObject({ name: `models/${MODEL}`, inputTokenLimit: 1_048_576 })
  })
})

describe('what a request may carry', () => {
  it('calls a declared function and takes its response', async () => {
    const { models } = client({})
    const parameters = { type: 'OBJECT', properties: { city: { type: 'STRING' } }, required: ['city'] }
    const config = { tools: [{ functionDeclarations: [{ name: 'getWeather', parameters }] }] }
    const asked = { role: 'user', parts: [{ text: 'Use getWeather for Paris' }] }
    const reply = await models.generateContent({ model: MODEL, contents: [asked], config })
    const [call] = reply.functionCalls
    expect(call).toMatchObject({ name: 'getWeather', args: { city: expect.any(String) } })
    const answered = {
      role: 'user',
      parts: [{ functionResponse: { name: 'getWeather', response: { sky: 'clear' } } }],
    }
    const contents = [asked, reply.candidates[0].content, answered]
    const second = await models.generateContent({ model: MODEL, contents, config })
    expect(second.functionCalls).toBeUndefined()
    expect(second.text).toContain('clear')
  })

  it('answers JSON of the schema', async () => {
    const responseSchema = {
      type: 'OBJECT',
      properties: { name: { type: 'STRING' }, amounts: { type: 'ARRAY', items: { type: 'INTEGER' } } },
      required: ['name', 'amounts'],
      propertyOrdering: ['name', 'amounts'],
    }
    const config = { responseMimeType: 'application/json', responseSchema }
    const reply = await client({}).models.generateContent({ model: MODEL, contents: 'A recipe', config })
    const value = JSON.parse(reply.text)
    expect(typeof value.name).toBe('string')
    expect(value.amounts.every(Number.isInteger)).toBe(true)
  })

  it('takes an image inline', async () => {
    const reply = await client({}).models.generateContent({
      model: MODEL,
      contents: [{ inlineData: { mimeType: 'image/png', data: PIXEL } }, { text: 'Say seen' }],
    })
    expect(reply.text).toContain('image/png')
    expect(reply.usageMetadata.promptTokensDetails).toContainEqual({ modality: 'IMAGE', tokenCount: 258 })
  })

  it('lets a browser key through from its referrer', async () => {
    const { models } = client({ keyString: keys.referrer, headers: { referer: ALLOWED_REFERRER } })
    expect((await models.generateContent({ model: MODEL, contents: 'Say oak' })).text).toBe('oak')
  })
})

describe('the exception it raises', () => {
  const NAMES = [
    'bad key',
    'no key',
    'disabled key',
    'expired key',
    'deleted key',
    'blocked referrer',
    'blocked address',
    'blocked model',
    'blocked tool',
    'blocked method',
    'unknown model',
    'quota',
    'upstream failure',
    'upstream credential refused',
  ]
  const find = (name: string): Refusal => {
    const found = keys.refusals.find(refusal => refusal.name === name)
    if (found === undefined) throw new Error(`no refusal ${name}`)
    return found
  }

  it('is asked for in every case there is', () => {
    expect(NAMES).toEqual(keys.refusals.map(({ name }) => name))
  })

  describe.each([
    ['generateContent', 'unary'],
    ['streamGenerateContent', 'stream'],
  ])('by %s', verb => {
    it.each(NAMES)('for %s', async name => {
      const refusal = find(name)
      const { models } = client({ keyString: refusal.keyString })
      const request = {
        model: refusal.model,
        contents: 'Say oak',
        ...(refusal.search ? { config: { tools: [{ googleSearch: {} }] } } : {}),
      }
      const error = await failure(
        verb === 'generateContent'
          ? models.generateContent(request)
          : chunksOf(models.generateContentStream(request)),
      )
      expect(error).toBeInstanceOf(ApiError)
      const { status, message } = error as { status: number; message: string }
      expect(status).toBe(refusal.code)
      const body = JSON.parse(message)
      expect(body.error).toMatchObject({
        code: refusal.code,
        status: refusal.status,
        message: messageFor(refusal, 'v1', verb),
      })
      expect(reasonIn(body)).toBe(refusal.reason)
      expect(message).not.toMatch(CREDENTIAL_LIKE)
    })
  })

  it('comes for what a key may not do, and for nothing else', async () => {
    const modelsOf = (name: string) => client({ keyString: find(name).keyString }).models
    const contents = 'Say oak'
    const allowed = await modelsOf('blocked model').generateContent({ model: 'gemini-2.5-flash', contents })
    expect(allowed.text).toBe('oak')
    expect((await modelsOf('blocked tool').generateContent({ model: MODEL, contents })).text).toBe('oak')
    expect((await modelsOf('blocked method').countTokens({ model: MODEL, contents })).totalTokens).toBe(2)
    const listed: string[] = []
    for await (const model of await modelsOf('blocked model').list()) listed.push(model.name)
    expect(listed).toEqual(['models/gemini-2.5-pro', 'models/gemini-2.5-flash'])
  })

  it('names the wait of a quota error, as the upstream sent it', async () => {
    const error = await failure(
      client({}).models.generateContent({ model: 'sandbox-429', contents: 'Say oak' }),
    )
    const { details } = JSON.parse((error as Error).message).error
    expect(details).toContainEqual({ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '43s' })
    expect(details).toContainEqual(
      expect.objectContaining({ '@type': 'type.googleapis.com/google.rpc.QuotaFailure' }),
    )
  })

  it('comes for a reply that breaks off', async () => {
    const error = await failure(
      client({}).models.generateContent({ model: 'sandbox-truncate', contents: 'Say oak' }),
    )
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ status: 502 })
  })

  it('comes in the middle of a stream that breaks off, after what had come', async () => {
    const stream = await client({}).models.generateContentStream({
      model: 'sandbox-truncate',
      contents: 'Count to ten in 60 words',
    })
    let text = ''
    const error = await failure(
      (async () => {
        for await (const chunk of stream) text += chunk.text
      })(),
    )
    expect(text).not.toBe('')
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ status: 502, message: expect.stringContaining('UPSTREAM_BROKEN') })
  })

  it('comes for an unknown method of the Gemini API, and for getting a model that is none', async () => {
    const { files, models } = client({})
    expect(await failure(files.list())).toMatchObject({ name: 'ApiError', status: 404 })
    expect(await failure(models.get({ model: 'gemini-unheard-of' }))).toMatchObject({
      name: 'ApiError',
      status: 404,
    })
  })
})

it('keeps calling a model that has retired, under its alias', async () => {
  const { models } = client({ apiVersion: 'v1' })
  const reply = await models.generateContent({ model: 'gemini-1.5-flash', contents: 'Say oak' })
  expect(reply).toMatchObject({ text: 'oak', modelVersion: MODEL })
})

describe('a deleted key', () => {
  const erase = (key: string) =>
    pollux.client.call(POLLUX_V1.deleteKey, { params: { project: PROJECT, key } })

  it('is refused on the very next request', async () => {
    const { models } = client({ keyString: await createKeyString(pollux, 'short-lived') })
    const request = { model: MODEL, contents: 'Say oak' }
    expect((await models.generateContent(request)).text).toBe('oak')
    await erase('short-lived')
    expect(await failure(models.generateContent(request))).toMatchObject({ status: 400 })
  })

  it('ends its open stream within a second, with an exception', async () => {
    const { models } = client({ keyString: await createKeyString(pollux, 'streaming') })
    const stream = await models.generateContentStream({
      model: 'sandbox-slow',
      contents: 'Count to ten in 300 words',
    })
    await stream.next()
    await erase('streaming')
    const erasedMs = performance.now()
    const error = await failure(
      (async () => {
        for await (const chunk of stream) expect(chunk.candidates[0].finishReason).toBeUndefined()
      })(),
    )
    expect(performance.now() - erasedMs).toBeLessThan(ceiling(1_000))
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ status: 400, message: expect.stringContaining('API Key not found') })
  })
})

it('leaves no key and no credential in what the server wrote', () => {
  // What is shown once at the first start: the key, and the link that makes the first owner.
  const shown = pollux.output().replaceAll(pollux.firstKeyString ?? '', '')
  const output = shown.replace(/\/set-up#plx_link_\w+/, '')
  // The operator is told why, without the text that the upstream told it in.
  expect(output).toContain('CONSUMER_SUSPENDED')
  expect(output.replaceAll('CONSUMER_SUSPENDED', '')).not.toMatch(CREDENTIAL_LIKE)
})
