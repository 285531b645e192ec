import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MODELS } from './models.ts'
import { startSandbox } from './server.ts'
import type { Sandbox } from './server.ts'

const CREDENTIAL = 'upstream-credential-of-the-test'
const HELLO = { contents: [{ parts: [{ text: 'Say hello' }] }] }
let sandbox: Sandbox

beforeAll(async () => {
  sandbox = await startSandbox({ credential: CREDENTIAL })
})
afterAll(() => sandbox.close())

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${sandbox.origin}${path}`, {
    method: 'POST',
    headers: { 'x-goog-api-key': CREDENTIAL, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

function get(
  path: string,
  headers: Record<string, string> = { 'x-goog-api-key': CREDENTIAL },
): Promise<Response> {
  return fetch(`${sandbox.origin}${path}`, { headers })
}

interface Answer {
  error: {
    code: number
    status: string
    message: string
    details: (Record<string, unknown> & { '@type': string })[]
  }
  models: { name: string }[]
  nextPageToken?: string
  candidates: { finishReason: string }[]
  usageMetadata: Record<string, number>
}

async function read(response: Response): Promise<Answer> {
  return (await response.json()) as Answer
}

const GENERATE = '/v1beta/models/gemini-3.8-flash:generateContent'
const STREAM = '/v1beta/models/gemini-3.8-flash:streamGenerateContent'

describe('credential', () => {
  test.each<[string, string, Record<string, string>]>([
    ['none', GENERATE, { 'x-goog-api-key': '' }],
    ['in the query', `${GENERATE}?key=${CREDENTIAL}`, { 'x-goog-api-key': '' }],
    ['as Bearer', GENERATE, { 'x-goog-api-key': '', authorization: `Bearer ${CREDENTIAL}` }],
  ])('%s is an unregistered caller: 403', async (_, path, headers) => {
    const response = await post(path, HELLO, headers)
    expect(response.status).toBe(403)
    const { error } = await read(response)
    expect(error).toMatchObject({ code: 403, status: 'PERMISSION_DENIED' })
    expect(error.message).toContain("Method doesn't allow unregistered callers")
    expect(error).not.toHaveProperty('details')
  })

  test('a wrong one is 400 API_KEY_INVALID as Google words it', async () => {
    const response = await post(GENERATE, HELLO, { 'x-goog-api-key': `${CREDENTIAL}x` })
    expect(response.status).toBe(400)
    expect(response.headers.get('content-type')).toBe('application/json; charset=UTF-8')
    expect(await response.json()).toEqual({
      error: {
        code: 400,
        message: 'API key not valid. Please pass a valid API key.',
        status: 'INVALID_ARGUMENT',
        details: [
          {
            '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
            reason: 'API_KEY_INVALID',
            domain: 'googleapis.com',
            metadata: { service: 'generativelanguage.googleapis.com' },
          },
          {
            '@type': 'type.googleapis.com/google.rpc.LocalizedMessage',
            locale: 'en-US',
            message: 'API key not valid. Please pass a valid API key.',
          },
        ],
      },
    })
  })

  test('errors of a stream without alt=sse come in an array, with it bare', async () => {
    const wrong = { 'x-goog-api-key': 'wrong' }
    expect(await (await post(STREAM, HELLO, wrong)).json()).toMatchObject([{ error: { code: 400 } }])
    expect(await (await post(`${STREAM}?alt=sse`, HELLO, wrong)).json()).toMatchObject({
      error: { code: 400 },
    })
  })
})

describe('models', () => {
  test('pages add up to the whole list', async () => {
    const names: string[] = []
    let token = ''
    do {
      const page = await read(await get(`/v1beta/models?pageSize=8&pageToken=${token}`))
      expect(page.models.length).toBeLessThanOrEqual(8)
      names.push(...page.models.map(model => model.name))
      token = page.nextPageToken ?? ''
    } while (token !== '')
    expect(names).toEqual(MODELS.map(model => `models/${model.id}`))
  })

  test('get answers what list answers', async () => {
    const { models } = await read(await get('/v1/models'))
    for (const model of models) expect(await (await get(`/v1/${model.name}`)).json()).toEqual(model)
    expect(models[0]).toMatchObject({
      name: 'models/gemini-4-hydrogen',
      inputTokenLimit: 1_048_576,
      outputTokenLimit: 65_536,
      supportedGenerationMethods: ['generateContent', 'countTokens'],
      thinking: true,
    })
  })

  test.each(['?pageSize=-1', '?pageSize=x', '?pageToken=zzzz'])('bad paging %s is 400', async query => {
    expect((await get(`/v1beta/models${query}`)).status).toBe(400)
  })

  test('the three versions answer the same', async () => {
    const bodies = await Promise.all(
      ['v1', 'v1beta', 'v1alpha'].map(async version =>
        (await post(`/${version}/models/gemini-3.8-flash:generateContent`, HELLO)).text(),
      ),
    )
    expect(new Set(bodies).size).toBe(1)
  })

  test('an unknown model, or one without the method, is 404 in the words of Google', async () => {
    for (const [path, model, method] of [
      ['/v1beta/models/nope:streamGenerateContent?alt=sse', 'nope', 'streamGenerateContent'],
      ['/v1beta/models/gemini-embedding-001:generateContent', 'gemini-embedding-001', 'generateContent'],
    ]) {
      const response = await post(path ?? '', HELLO)
      expect(response.status).toBe(404)
      expect((await read(response)).error).toEqual({
        code: 404,
        message: `models/${model} is not found for API version v1beta, or is not supported for ${method}. Call ModelService.ListModels to see the list of available models and their supported methods.`,
        status: 'NOT_FOUND',
      })
    }
  })

  test.each([
    '/',
    '/v2/models',
    '/v1beta/files',
    '/v1beta/models/a/b',
    '/v1beta/models/%zz',
    '/v1beta//models',
  ])('anything else, like %s, is a JSON 404', async path => {
    const response = await get(path)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ error: { code: 404, status: 'NOT_FOUND' } })
  })
})

describe('refused requests', () => {
  test.each<[string, unknown, string]>([
    ['malformed JSON', '{"contents":', 'Invalid JSON payload received.'],
    ['bytes that are no message', '[]', 'Root element must be a message'],
    [
      'an unknown name',
      { ...HELLO, x: 1 },
      'Invalid JSON payload received. Unknown name "x": Cannot find field.',
    ],
    ['no contents', {}, 'contents is not specified'],
    ['empty contents', { contents: [] }, 'contents is not specified'],
    ['a content without parts', { contents: [{ role: 'user' }] }, 'contents.parts must not be empty'],
    ['an empty part', { contents: [{ parts: [{}] }] }, "required oneof field 'data'"],
    ['a foreign role', { contents: [{ role: 'boss', parts: [{ text: 'a' }] }] }, 'Please use a valid role'],
    [
      'a bad number',
      { ...HELLO, generationConfig: { maxOutputTokens: 'x' } },
      "'max_output_tokens' (TYPE_INT32)",
    ],
    ['no output', { ...HELLO, generationConfig: { maxOutputTokens: 0 } }, 'must be positive'],
    ['nine candidates', { ...HELLO, generationConfig: { candidateCount: 9 } }, 'candidate_count'],
    [
      'bad base64',
      { contents: [{ parts: [{ inlineData: { mimeType: 'image/png', data: '?' } }] }] },
      'Base64',
    ],
    ['deep nesting', `{"contents":${'['.repeat(5000)}${']'.repeat(5000)}}`, 'too deep'],
    [
      'a picture of a text model',
      { ...HELLO, generationConfig: { responseModalities: ['IMAGE'] } },
      'modalities',
    ],
  ])('%s is 400', async (_, body, message) => {
    const response = await post(GENERATE, body)
    expect(response.status).toBe(400)
    const { error } = await read(response)
    expect(error.status).toBe('INVALID_ARGUMENT')
    expect(error.message).toContain(message)
  })

  test('objects of another project are 403', async () => {
    const file = { contents: [{ parts: [{ fileData: { fileUri: 'https://x/v1beta/files/abc' } }] }] }
    for (const body of [file, { ...HELLO, cachedContent: 'cachedContents/a' }]) {
      expect((await post(GENERATE, body)).status).toBe(403)
    }
  })

  test('a prompt over the input limit is 400', async () => {
    const body = { content: { parts: [{ text: 'word '.repeat(4000) }] } }
    const response = await post('/v1beta/models/gemini-embedding-001:embedContent', body)
    expect((await read(response)).error.message).toContain(
      '(5000) exceeds the maximum number of tokens allowed (2048)',
    )
  })

  test('a body over 64 MB is refused on its declared size', async () => {
    const socket = connect(Number(new URL(sandbox.origin).port), '127.0.0.1')
    socket.write(
      `POST ${GENERATE} HTTP/1.1\r\nhost: x\r\nx-goog-api-key: ${CREDENTIAL}\r\ncontent-length: 67108865\r\n\r\n{`,
    )
    let text = ''
    for await (const chunk of socket) text += String(chunk)
    expect(text).toContain('HTTP/1.1 400')
    expect(text).toContain('exceeds the limit: 67108864 bytes')
  })
})

describe('models that misbehave', () => {
  const path = (model: string, method = 'generateContent'): string => `/v1beta/models/${model}:${method}`

  test('sandbox-429 sends the whole quota error', async () => {
    const response = await post(path('sandbox-429'), HELLO)
    expect(response.status).toBe(429)
    const { error } = await read(response)
    expect(error.status).toBe('RESOURCE_EXHAUSTED')
    expect(error.details.map(detail => detail['@type'].split('.').at(-1))).toEqual([
      'Help',
      'QuotaFailure',
      'RetryInfo',
    ])
    expect(error.details[1]).toMatchObject({ violations: [{ quotaValue: '20' }] })
    expect(error.details[2]).toMatchObject({ retryDelay: '43s' })
  })

  test.each([
    ['sandbox-500', 500, 'INTERNAL'],
    ['sandbox-503', 503, 'UNAVAILABLE'],
  ])('%s is %i', async (model, code, status) => {
    for (const method of ['generateContent', 'streamGenerateContent?alt=sse', 'embedContent']) {
      const response = await post(path(model, method), HELLO)
      expect(response.status).toBe(code)
      expect((await read(response)).error.status).toBe(status)
    }
  })

  test('sandbox-credential prints what it received', async () => {
    const response = await post(path('sandbox-credential'), HELLO)
    expect(response.status).toBe(403)
    const { error } = await read(response)
    expect(error.message).toBe(`Permission denied: Consumer 'api_key:${CREDENTIAL}' has been suspended.`)
    expect(error.details[0]).toMatchObject({
      reason: 'CONSUMER_SUSPENDED',
      metadata: { containerInfo: `api_key:${CREDENTIAL}` },
    })
  })

  test('sandbox-garbage is 200 and no JSON', async () => {
    const whole = await post(path('sandbox-garbage'), HELLO)
    expect(whole.status).toBe(200)
    await expect(whole.json()).rejects.toThrow(SyntaxError)
    const stream = await post(path('sandbox-garbage', 'streamGenerateContent?alt=sse'), HELLO)
    expect(await stream.text()).toMatch(/^data: <.*\r\n\r\n$/)
  })

  test.each(['generateContent', 'streamGenerateContent', 'streamGenerateContent?alt=sse'])(
    'sandbox-truncate breaks off %s after its start',
    async method => {
      const response = await post(path('sandbox-truncate', method), HELLO)
      expect(response.status).toBe(200)
      let received = ''
      const reading = (async () => {
        const decoder = new TextDecoder()
        for await (const chunk of response.body ?? []) received += decoder.decode(chunk, { stream: true })
      })()
      await expect(reading).rejects.toThrow('terminated')
      expect(received.length).toBeGreaterThan(50)
    },
  )

  test('sandbox-hang answers nothing until the server closes, and close ends it at once', async () => {
    const own = await startSandbox({ credential: CREDENTIAL })
    const socket = connect(Number(new URL(own.origin).port), '127.0.0.1')
    const body = JSON.stringify(HELLO)
    const ended = new Promise<string>(resolve => {
      let text = ''
      socket.on('data', chunk => (text += String(chunk)))
      socket.on('error', () => undefined)
      socket.on('close', () => resolve(text))
    })
    const head = `host: x\r\nx-goog-api-key: ${CREDENTIAL}\r\ncontent-length: ${body.length}`
    // The expected 404 of the first request shows that the second one has been read too.
    socket.write(
      `GET /nothing HTTP/1.1\r\nhost: x\r\n\r\nPOST ${path('sandbox-hang')} HTTP/1.1\r\n${head}\r\n\r\n${body}`,
    )
    await new Promise(resolve => socket.once('data', resolve))
    await own.close()
    const text = await ended
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1)
    await expect(fetch(own.origin)).rejects.toThrow('fetch failed')
  })

  test('a client that leaves a hanging call leaves nothing behind', async () => {
    const gone = new AbortController()
    const call = fetch(`${sandbox.origin}${path('sandbox-hang')}`, {
      method: 'POST',
      headers: { 'x-goog-api-key': CREDENTIAL },
      body: JSON.stringify(HELLO),
      signal: gone.signal,
    })
    gone.abort()
    await expect(call).rejects.toThrow('aborted')
    expect((await post(GENERATE, HELLO)).status).toBe(200)
  })

  test('sandbox-slow streams steadily for about two seconds', async () => {
    const response = await post(path('sandbox-slow', 'streamGenerateContent?alt=sse'), HELLO)
    const timesMs: number[] = []
    for await (const _ of response.body ?? []) timesMs.push(performance.now())
    expect(timesMs.length).toBeGreaterThan(3)
    const tookMs = (timesMs.at(-1) ?? 0) - (timesMs[0] ?? 0)
    expect(tookMs).toBeGreaterThan(1400)
  })

  test.each([1, 7, 100, 8192])('sandbox-max bills exactly %i tokens of output', async maxOutputTokens => {
    const generationConfig = { maxOutputTokens, stopSequences: ['Pollux'] }
    const reply = await read(await post(path('sandbox-max'), { ...HELLO, generationConfig }))
    expect(reply.usageMetadata['candidatesTokenCount']).toBe(maxOutputTokens)
    expect(reply.candidates[0]?.finishReason).toBe('MAX_TOKENS')
  })
})

test.each([GENERATE, STREAM, `${STREAM}?alt=sse`])(
  'the same request gives the same bytes: %s',
  async path => {
    const request = {
      ...HELLO,
      generationConfig: { candidateCount: 2, thinkingConfig: { includeThoughts: true } },
    }
    const seen = new Set<string>()
    for (let times = 0; times < 3; times += 1) {
      const response = await post(path, request)
      expect(response.headers.has('date')).toBe(false)
      seen.add(`${JSON.stringify([...response.headers])}${await response.text()}`)
    }
    expect(seen.size).toBe(1)
    const other = await post(path, { ...request, store: false })
    expect(seen).not.toContain(`${JSON.stringify([...other.headers])}${await other.text()}`)
  },
)
