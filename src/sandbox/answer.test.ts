import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandbox } from './server.ts'
import type { Sandbox } from './server.ts'
import { textTokens } from './tokens.ts'

const CREDENTIAL = 'upstream-credential-of-the-test'
let sandbox: Sandbox

beforeAll(async () => {
  sandbox = await startSandbox({ credential: CREDENTIAL })
})
afterAll(() => sandbox.close())

interface Part {
  text?: string
  thought?: boolean
  functionCall?: { id: string; name: string; args: Record<string, unknown> }
  inlineData?: { mimeType: string; data: string }
  executableCode?: { code: string }
  codeExecutionResult?: { output: string }
}

interface Reply {
  candidates: {
    content: { parts?: Part[]; role: string }
    finishReason?: string
    index: number
    groundingMetadata?: { webSearchQueries: string[] }
  }[]
  usageMetadata: Record<string, number> & Record<string, { modality: string; tokenCount: number }[]>
  modelVersion: string
  responseId: string
}

async function call(path: string, body: unknown): Promise<Response> {
  const response = await fetch(`${sandbox.origin}/v1beta/models/${path}`, {
    method: 'POST',
    headers: { 'x-goog-api-key': CREDENTIAL },
    body: JSON.stringify(body),
  })
  expect(response.status, await response.clone().text()).toBe(200)
  return response
}

async function generate(body: unknown, model = 'gemini-3.8-flash'): Promise<Reply> {
  return (await (await call(`${model}:generateContent`, body)).json()) as Reply
}

function asking(text: string, rest: object = {}): object {
  return { contents: [{ role: 'user', parts: [{ text }] }], ...rest }
}

const configured = (generationConfig: object, text = 'Tell me about the sky'): object =>
  asking(text, { generationConfig })

const textOf = (reply: Reply, index = 0): string =>
  (reply.candidates[index]?.content.parts ?? [])
    .flatMap(part => (part.thought ? [] : [part.text ?? '']))
    .join('')

describe('text', () => {
  test('greets, echoes, and says what it was told to say', async () => {
    expect(textOf(await generate(asking('Say hello')))).toMatch(/^Hello! /)
    expect(textOf(await generate(asking('How far is the moon?')))).toContain('"How far is the moon?"')
    expect(textOf(await generate(asking('Reply with exactly: pong')))).toBe('pong')
  })

  test('a system instruction shows', async () => {
    const systemInstruction = { parts: { text: 'Speak like a pirate' } }
    const reply = await generate(asking('Say hello', { systemInstruction }))
    expect(textOf(reply)).toContain('"Speak like a pirate"')
  })

  test('both spellings of every field are one request', async () => {
    const camel = await generate({
      contents: [{ parts: [{ inlineData: { mimeType: 'image/png', data: 'AAAA' } }, { text: 'a' }] }],
      systemInstruction: { parts: [{ text: 'b' }] },
      generationConfig: { maxOutputTokens: 20, thinkingConfig: { thinkingBudget: 4 } },
    })
    const snake = await generate({
      contents: [{ parts: [{ inline_data: { mime_type: 'image/png', data: 'AAAA' } }, { text: 'a' }] }],
      system_instruction: { parts: [{ text: 'b' }] },
      generation_config: { max_output_tokens: 20, thinking_config: { thinking_budget: 4 } },
    })
    expect({ ...snake, responseId: '' }).toEqual({ ...camel, responseId: '' })
  })

  test('maxOutputTokens cuts the text, stopSequences cut it before the sequence', async () => {
    const cut = await generate(configured({ maxOutputTokens: 10, thinkingConfig: { thinkingBudget: 0 } }))
    expect(cut.candidates[0]?.finishReason).toBe('MAX_TOKENS')
    expect(cut.usageMetadata['candidatesTokenCount']).toBe(10)
    expect(textTokens(textOf(cut))).toBe(10)
    const stopped = await generate(configured({ stopSequences: ['sandbox', 'never'] }))
    expect(stopped.candidates[0]?.finishReason).toBe('STOP')
    expect(textOf(stopped)).toMatch(/I am the Pollux $/)
  })

  test('candidateCount candidates differ and all are billed', async () => {
    const reply = await generate(configured({ candidateCount: 3, thinkingConfig: { thinkingBudget: 0 } }))
    const texts = [0, 1, 2].map(index => textOf(reply, index))
    expect(new Set(texts).size).toBe(3)
    expect(reply.candidates.map(({ index }) => index)).toEqual([0, 1, 2])
    expect(reply.usageMetadata['candidatesTokenCount']).toBe(
      texts.reduce((sum, text) => sum + textTokens(text), 0),
    )
  })

  test('an alias answers with the model behind it', async () => {
    expect((await generate(asking('Say hello'), 'gemini-flash-latest')).modelVersion).toBe('gemini-3.8-flash')
  })

  test('as many words as were asked for', async () => {
    const words = textOf(await generate(asking('Write an essay of 300 words'))).split(' ')
    expect(words).toHaveLength(300)
  })
})

describe('thinking', () => {
  const thoughts = async (thinkingConfig: object, rest: object = {}): Promise<number> =>
    (await generate(configured({ thinkingConfig, ...rest }))).usageMetadata['thoughtsTokenCount'] ?? 0

  test('levels grow, budgets hold, zero is none', async () => {
    const levels = await Promise.all(
      ['MINIMAL', 'LOW', 'MEDIUM', 'HIGH'].map(thinkingLevel => thoughts({ thinkingLevel })),
    )
    expect(levels).toEqual(levels.toSorted((a, b) => a - b))
    expect(new Set(levels).size).toBe(4)
    expect(await thoughts({ thinkingBudget: 5 })).toBe(5)
    expect(await thoughts({ thinkingBudget: 0 })).toBe(0)
    expect(await thoughts({ thinkingBudget: -1 })).toBe(await thoughts({}))
  })

  test('thoughts count against maxOutputTokens', async () => {
    const reply = await generate(configured({ maxOutputTokens: 30, thinkingConfig: { thinkingBudget: 20 } }))
    expect(reply.usageMetadata).toMatchObject({ thoughtsTokenCount: 20, candidatesTokenCount: 10 })
    const eaten = await generate(configured({ maxOutputTokens: 30, thinkingConfig: { thinkingBudget: 100 } }))
    expect(eaten.usageMetadata).toMatchObject({ thoughtsTokenCount: 30 })
    expect(eaten.usageMetadata).not.toHaveProperty('candidatesTokenCount')
    expect(eaten.candidates[0]).toEqual({ content: { role: 'model' }, finishReason: 'MAX_TOKENS', index: 0 })
  })

  test('thoughts are shown only when they are asked for', async () => {
    const shown = await generate(configured({ thinkingConfig: { includeThoughts: true } }))
    expect(shown.candidates[0]?.content.parts?.map(part => part.thought ?? false)).toEqual([true, false])
    const hidden = await generate(configured({}))
    expect(hidden.candidates[0]?.content.parts).toHaveLength(1)
    expect(hidden.usageMetadata).toEqual(shown.usageMetadata)
  })
})

describe('usage', () => {
  const inline = (mimeType: string, bytes: number): object => ({
    inlineData: { mimeType, data: Buffer.alloc(bytes).toString('base64') },
  })
  const body = {
    contents: [
      {
        role: 'user',
        parts: [{ text: 'What is this? 東京都' }, inline('image/png', 90), inline('audio/mp3', 40_000)],
      },
      { role: 'model', parts: [{ text: 'Hm.' }] },
      { role: 'user', parts: [inline('application/pdf', 60_000), inline('video/mp4', 10)] },
    ],
    systemInstruction: { parts: [{ text: 'Be brief.' }] },
  }

  test('counts inline media by modality', async () => {
    const { usageMetadata } = await generate(body)
    expect(usageMetadata['promptTokensDetails']).toEqual([
      { modality: 'TEXT', tokenCount: 10 },
      { modality: 'IMAGE', tokenCount: 258 },
      { modality: 'AUDIO', tokenCount: 96 },
      { modality: 'DOCUMENT', tokenCount: 516 },
      { modality: 'VIDEO', tokenCount: 258 },
    ])
    expect(usageMetadata['promptTokenCount']).toBe(1138)
  })

  test('countTokens equals promptTokenCount', async () => {
    const { usageMetadata } = await generate(body)
    const wrapped = { generateContentRequest: { model: 'models/gemini-3.8-flash', ...body } }
    const counted = await (await call('gemini-3.8-flash:countTokens', wrapped)).json()
    expect(counted).toEqual({
      totalTokens: usageMetadata['promptTokenCount'],
      promptTokensDetails: usageMetadata['promptTokensDetails'],
    })
    const bare = (await (await call('gemini-3.8-flash:countTokens', asking('Say hello'))).json()) as object
    const { usageMetadata: billed } = await generate(asking('Say hello'))
    expect(bare).toMatchObject({ totalTokens: billed['promptTokenCount'] })
  })

  test('total is the sum, and what is zero is left out', async () => {
    const { usageMetadata: usage } = await generate(
      asking('Who? Where?', { tools: { google_search: {} }, serviceTier: 'flex' }),
    )
    const { promptTokenCount = 0, candidatesTokenCount = 0, thoughtsTokenCount = 0 } = usage
    const sum =
      promptTokenCount + candidatesTokenCount + thoughtsTokenCount + (usage['toolUsePromptTokenCount'] ?? 0)
    expect(usage['totalTokenCount']).toBe(sum)
    expect(usage['serviceTier']).toBe('flex')
    const plain = await generate(asking('Say hello'), 'gemma-4-31b-it')
    expect(Object.keys(plain.usageMetadata).sort()).toEqual([
      'candidatesTokenCount',
      'candidatesTokensDetails',
      'promptTokenCount',
      'promptTokensDetails',
      'serviceTier',
      'totalTokenCount',
    ])
  })
})

describe('streams', () => {
  const request = asking('Tell me about 東京 🗼 in 40 words', {
    generationConfig: { candidateCount: 2, thinkingConfig: { includeThoughts: true } },
    tools: [{ googleSearch: {} }],
  })

  async function chunks(): Promise<Reply[]> {
    const response = await call('gemini-3.8-flash:streamGenerateContent?alt=sse', request)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const text = await response.text()
    expect(text.endsWith('\r\n\r\n')).toBe(true)
    return text
      .slice(0, -4)
      .split('\r\n\r\n')
      .map(event => {
        expect(event.startsWith('data: ')).toBe(true)
        return JSON.parse(event.slice(6)) as Reply
      })
  }

  test('SSE and the JSON array carry the same chunks', async () => {
    const response = await call('gemini-3.8-flash:streamGenerateContent', request)
    expect(response.headers.get('content-type')).toBe('application/json; charset=UTF-8')
    const text = await response.text()
    expect(text).toMatch(/^\[\{.*\},\r\n\{.*\}\]$/s)
    expect(JSON.parse(text)).toEqual(await chunks())
  })

  test('running totals grow and the last is the bill of the whole reply', async () => {
    const list = await chunks()
    expect(list.length).toBeGreaterThan(6)
    const totals = list.map(chunk => chunk.usageMetadata['totalTokenCount'] ?? 0)
    expect(totals).toEqual(totals.toSorted((a, b) => a - b))
    const whole = await generate(request)
    expect(list.at(-1)?.usageMetadata).toEqual(whole.usageMetadata)
    for (const index of [0, 1]) {
      const parts = list.flatMap(({ candidates: [candidate] }) =>
        candidate?.index === index ? (candidate.content.parts ?? []) : [],
      )
      const said = parts.flatMap(part => (part.thought ? [] : [part.text])).join('')
      expect(said).toBe(textOf(whole, index))
    }
    expect(list.filter(chunk => chunk.candidates[0]?.finishReason === 'STOP')).toHaveLength(2)
    expect(new Set(list.map(chunk => chunk.responseId)).size).toBe(1)
  })

  test('a stream that is all thought still ends with a reason', async () => {
    const body = configured({ maxOutputTokens: 10, thinkingConfig: { thinkingBudget: 100 } })
    const list = (await (await call('gemini-3.8-flash:streamGenerateContent', body)).json()) as Reply[]
    expect(list).toHaveLength(1)
    expect(list[0]?.candidates[0]?.finishReason).toBe('MAX_TOKENS')
  })
})

describe('structured output', () => {
  test('obeys the schema and its order, and echoes the question', async () => {
    const responseSchema = {
      type: 'OBJECT',
      properties: { summary: { type: 'STRING' }, mood: { type: 'STRING', enum: ['sunny', 'grey'] } },
      propertyOrdering: ['mood', 'summary'],
    }
    const reply = await generate(configured({ responseMimeType: 'application/json', responseSchema }))
    expect(textOf(reply)).toBe('{"mood":"sunny","summary":"Tell me about the sky"}')
  })

  test('JSON without a schema parses; an enum comes bare', async () => {
    expect(
      JSON.parse(textOf(await generate(configured({ responseMimeType: 'application/json' })))),
    ).toHaveProperty('answer')
    const responseSchema = { type: 'STRING', enum: ['left', 'right'] }
    expect(textOf(await generate(configured({ responseMimeType: 'text/x.enum', responseSchema })))).toBe(
      'left',
    )
  })
})

describe('tools', () => {
  const weather = {
    name: 'get_weather',
    parameters: {
      type: 'OBJECT',
      properties: { location: { type: 'STRING' }, unit: { type: 'STRING', enum: ['celsius', 'fahrenheit'] } },
      required: ['location'],
    },
  }
  const tools = [{ functionDeclarations: [weather, { name: 'stop' }] }]
  const callsOf = (reply: Reply): unknown[] =>
    (reply.candidates[0]?.content.parts ?? []).flatMap(part =>
      part.functionCall ? [[part.functionCall.name, part.functionCall.args]] : [],
    )

  test('mode ANY forces a call of an allowed function, with arguments out of the question', async () => {
    const forced = (functionCallingConfig: object): object =>
      asking('How warm is it in Buenos Aires?', { tools, toolConfig: { functionCallingConfig } })
    expect(callsOf(await generate(forced({ mode: 'ANY' })))).toEqual([
      ['get_weather', { location: 'Buenos Aires', unit: 'celsius' }],
    ])
    const allowed = await generate(forced({ mode: 'ANY', allowedFunctionNames: ['stop'] }))
    expect(callsOf(allowed)).toEqual([['stop', {}]])
    expect(allowed.candidates[0]?.finishReason).toBe('STOP')
  })

  test('a function is called when the question names it, unless the mode is NONE', async () => {
    const named = asking('Use get_weather for Paris, then stop.', { tools })
    expect(callsOf(await generate(named))).toHaveLength(2)
    const none = { ...named, toolConfig: { functionCallingConfig: { mode: 'NONE' } } }
    expect(callsOf(await generate(none))).toEqual([])
    expect(callsOf(await generate(asking('How warm is it?', { tools })))).toEqual([])
  })

  test('a function response is answered in text, even in mode ANY', async () => {
    const reply = await generate({
      contents: [
        { role: 'user', parts: [{ text: 'get_weather' }] },
        { role: 'model', parts: [{ functionCall: { name: 'get_weather', args: {} } }] },
        { role: 'user', parts: [{ functionResponse: { name: 'get_weather', response: { degrees: 21 } } }] },
      ],
      tools,
      toolConfig: { functionCallingConfig: { mode: 'ANY' } },
    })
    expect(callsOf(reply)).toEqual([])
    expect(textOf(reply)).toContain('get_weather returned {"degrees":21}')
  })

  test('search grounds with a query per question and bills its tokens', async () => {
    const reply = await generate(asking('Who won? When was it?', { tools: [{ googleSearch: {} }] }))
    expect(reply.candidates[0]?.groundingMetadata?.webSearchQueries).toEqual(['Who won', 'When was it'])
    expect(reply.usageMetadata['toolUsePromptTokenCount']).toBeGreaterThan(0)
  })

  test('code execution shows code and the right result', async () => {
    const reply = await generate(asking('What is 123456789 * 987654321?', { tools: [{ codeExecution: {} }] }))
    const parts = reply.candidates[0]?.content.parts ?? []
    expect(parts[0]?.executableCode?.code).toBe('print(123456789 * 987654321)')
    expect(parts[1]?.codeExecutionResult?.output).toBe('121932631112635269\n')
    expect(reply.usageMetadata['toolUsePromptTokenCount']).toBeGreaterThan(0)
  })
})

describe('media', () => {
  test('an image model draws a real PNG and bills it as IMAGE', async () => {
    const reply = await generate(
      configured({ responseModalities: ['TEXT', 'IMAGE'] }),
      'gemini-3.1-flash-lite-image',
    )
    const image = reply.candidates[0]?.content.parts?.find(part => part.inlineData)?.inlineData
    expect(image?.mimeType).toBe('image/png')
    const bytes = Buffer.from(image?.data ?? '', 'base64')
    expect(bytes.subarray(0, 8).toString('hex')).toBe('89504e470d0a1a0a')
    expect(bytes.subarray(-8, -4).toString('latin1')).toBe('IEND')
    expect(reply.usageMetadata['candidatesTokensDetails']).toContainEqual({
      modality: 'IMAGE',
      tokenCount: 1120,
    })
    const tight = await generate(configured({ maxOutputTokens: 1125 }), 'gemini-3.1-flash-lite-image')
    expect(tight.candidates[0]?.finishReason).toBe('MAX_TOKENS')
    expect(tight.usageMetadata['candidatesTokenCount']).toBeLessThanOrEqual(1125)
  })

  test('a speech model speaks PCM at 25 tokens a second, within maxOutputTokens', async () => {
    const reply = await generate(
      configured({ responseModalities: ['AUDIO'], maxOutputTokens: 10 }),
      'gemini-3.8-flash-tts',
    )
    const audio = reply.candidates[0]?.content.parts?.[0]?.inlineData
    expect(audio?.mimeType).toBe('audio/L16;codec=pcm;rate=24000')
    expect(Buffer.from(audio?.data ?? '', 'base64')).toHaveLength((10 * 48_000) / 25)
    expect(reply.usageMetadata['candidatesTokensDetails']).toEqual([{ modality: 'AUDIO', tokenCount: 10 }])
  })
})
