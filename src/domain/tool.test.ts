import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isAllowable, toolName, toolsUsed } from './tool.ts'

const TEXT_MODEL = 'gemini-3.8-flash'
const IMAGE_MODEL = 'gemini-3-pro-image'
const used = (body: unknown, modelId = TEXT_MODEL) => [...toolsUsed(body, modelId)].sort()
const modalities = (value: unknown) => ({ generationConfig: { responseModalities: value } })

describe('tools', () => {
  it.each([
    [{}, []],
    [{ contents: [{ parts: [{ text: 'googleSearch' }] }] }, []],
    [{ tools: null }, []],
    [{ tools: [] }, []],
    [{ tools: [{}] }, []],
    [{ tools: [{ googleSearch: {} }] }, ['googleSearch']],
    [{ tools: [{ google_search: {} }] }, ['googleSearch']],
    [{ tools: [{ googleSearchRetrieval: {} }] }, ['googleSearch']],
    [{ tools: [{ google_search_retrieval: {} }] }, ['googleSearch']],
    [{ tools: [{ googleMaps: {} }] }, ['googleMaps']],
    [{ tools: [{ google_maps: { enableWidget: true } }] }, ['googleMaps']],
    [{ tools: [{ codeExecution: {} }] }, ['codeExecution']],
    [{ tools: [{ code_execution: {} }] }, ['codeExecution']],
    [{ tools: [{ urlContext: {} }] }, ['urlContext']],
    [{ tools: [{ url_context: {} }] }, ['urlContext']],
    [{ tools: [{ functionDeclarations: [{ name: 'googleSearch' }] }] }, []],
    [{ tools: [{ function_declarations: [{ name: 'f' }] }] }, []],
    [
      { tools: [{ functionDeclarations: [], googleSearch: {}, codeExecution: {} }] },
      ['codeExecution', 'googleSearch'],
    ],
    [{ tools: [{ googleSearch: {} }, { url_context: {} }] }, ['googleSearch', 'urlContext']],
    [{ tools: [{ googleSearch: {} }, { google_search: {} }] }, ['googleSearch']],
    // A lone value is a list of one.
    [{ tools: { googleSearch: {} } }, ['googleSearch']],
    // null is a field left out; anything else is a field set.
    [{ tools: [{ googleSearch: null }] }, []],
    [{ tools: [{ fileSearch: null }] }, []],
    [{ tools: [{ googleSearch: null, codeExecution: {} }] }, ['codeExecution']],
    [{ tools: [{ googleSearch: false }] }, ['googleSearch']],
    [{ tools: [{ googleSearch: [] }] }, ['googleSearch']],
    // Every other kind carries its name.
    [{ tools: [{ fileSearch: { fileSearchStoreNames: [] } }] }, ['other:fileSearch']],
    [{ tools: [{ file_search: {} }] }, ['other:fileSearch']],
    [{ tools: [{ computerUse: {} }] }, ['other:computerUse']],
    [{ tools: [{ mcpServers: [{}] }] }, ['other:mcpServers']],
    [{ tools: [{ mcp_servers: [] }] }, ['other:mcpServers']],
    [{ tools: [{ brandNewTool: {} }] }, ['other:brandNewTool']],
    [{ tools: [{ GoogleSearch: {} }] }, ['other:GoogleSearch']],
    [{ tools: [{ functiondeclarations: [] }] }, ['other:functiondeclarations']],
    [{ tools: [{ constructor: {} }] }, ['other:constructor']],
    [JSON.parse('{"tools":[{"__proto__":{}}]}'), ['other:Proto__']],
    [{ tools: [{ ['x'.repeat(100)]: {} }] }, [`other:${'x'.repeat(64)}`]],
    // What is no tool message is not taken for none.
    [{ tools: 'googleSearch' }, ['other:malformedTool']],
    [{ tools: 7 }, ['other:malformedTool']],
    [{ tools: [null] }, ['other:malformedTool']],
    [{ tools: [[{ googleSearch: {} }]] }, ['other:malformedTool']],
    // Only where the proto has the field.
    [{ Tools: [{ googleSearch: {} }] }, []],
    [{ toolConfig: { googleSearch: {} } }, []],
  ])('%j uses %j', (body, expected) => {
    expect(used(body)).toEqual(expected)
  })
})

describe('outputs', () => {
  it.each([
    [modalities(['TEXT']), []],
    [modalities(['IMAGE']), ['imageOutput']],
    [modalities(['AUDIO']), ['audioOutput']],
    [modalities(['TEXT', 'IMAGE', 'AUDIO']), ['audioOutput', 'imageOutput']],
    [modalities('IMAGE'), ['imageOutput']],
    [modalities(['image', 'Audio', 'text']), ['audioOutput', 'imageOutput']],
    [modalities([1]), []],
    [modalities([2]), ['imageOutput']],
    [modalities([3]), ['audioOutput']],
    [modalities(3), ['audioOutput']],
    [modalities([0]), ['other:responseModalities=0']],
    [modalities([4]), ['other:responseModalities=4']],
    [modalities(['VIDEO']), ['other:responseModalities=VIDEO']],
    [modalities(['MODALITY_UNSPECIFIED']), ['other:responseModalities=MODALITY_UNSPECIFIED']],
    [modalities(['2']), ['other:responseModalities=2']],
    [modalities(['']), ['other:responseModalities=']],
    [modalities([true]), ['other:responseModalities=malformed']],
    [modalities([null]), ['other:responseModalities=malformed']],
    [modalities([['IMAGE']]), ['other:responseModalities=malformed']],
    [modalities({}), ['other:responseModalities=malformed']],
    [modalities(['TEXT', 'VIDEO']), ['other:responseModalities=VIDEO']],
    [modalities(['x'.repeat(100)]), [`other:responseModalities=${'x'.repeat(45)}`]],
    [{ generation_config: { response_modalities: ['IMAGE'] } }, ['imageOutput']],
    [{ generationConfig: { response_modalities: ['IMAGE'] } }, ['imageOutput']],
    [{ generation_config: { responseModalities: ['IMAGE'] } }, ['imageOutput']],
    [{ generationConfig: { responseModalities: ['TEXT'], response_modalities: ['IMAGE'] } }, ['imageOutput']],
    [{ generationConfig: { responseModalities: ['IMAGE'], response_modalities: ['TEXT'] } }, ['imageOutput']],
    [
      { generationConfig: { maxOutputTokens: 5 }, generation_config: { responseModalities: [3] } },
      ['audioOutput'],
    ],
    [{ generationConfig: { responseModalities: [3] }, generation_config: {} }, ['audioOutput']],
    [{ generationConfig: { speechConfig: {} } }, ['audioOutput']],
    [{ generationConfig: { speech_config: {} } }, ['audioOutput']],
    [{ generationConfig: { speechConfig: null } }, []],
    [{ generationConfig: { responseModalities: ['TEXT'], speechConfig: {} } }, ['audioOutput']],
    [{ generationConfig: [{ responseModalities: ['IMAGE'] }] }, ['imageOutput']],
    [{ generationConfig: {} }, []],
    [{ generationConfig: null }, []],
    [{ GenerationConfig: { responseModalities: ['IMAGE'] } }, []],
  ])('%j on a text model uses %j', (body, expected) => {
    expect(used(body)).toEqual(expected)
  })

  it.each([
    [IMAGE_MODEL, {}, ['imageOutput']],
    [IMAGE_MODEL, { generationConfig: null }, ['imageOutput']],
    [IMAGE_MODEL, { generationConfig: {} }, ['imageOutput']],
    [IMAGE_MODEL, { generationConfig: { temperature: 1 } }, ['imageOutput']],
    [IMAGE_MODEL, { generationConfig: 'x' }, ['imageOutput']],
    [IMAGE_MODEL, modalities(null), ['imageOutput']],
    [IMAGE_MODEL, modalities([]), ['imageOutput']],
    [IMAGE_MODEL, modalities(['TEXT']), []],
    [IMAGE_MODEL, modalities([1]), []],
    [IMAGE_MODEL, { ...modalities(['TEXT']), generation_config: {} }, ['imageOutput']],
    [IMAGE_MODEL, modalities(['AUDIO']), ['audioOutput']],
    [IMAGE_MODEL, { generationConfig: { speechConfig: {} } }, ['audioOutput', 'imageOutput']],
    [IMAGE_MODEL, { tools: [{ googleSearch: {} }] }, ['googleSearch', 'imageOutput']],
    ['gemini-3.8-flash-tts', {}, ['audioOutput']],
    ['gemini-3.8-flash-tts', modalities(['TEXT']), []],
    ['gemini-omni-1.1-flash', {}, ['audioOutput', 'imageOutput']],
    [IMAGE_MODEL, null, ['imageOutput']],
    [IMAGE_MODEL, 'text', ['imageOutput']],
    [IMAGE_MODEL, [modalities(['TEXT'])], ['imageOutput']],
    [TEXT_MODEL, null, []],
    [TEXT_MODEL, [{ tools: [{ googleSearch: {} }] }], []],
  ])('%s with %j uses %j', (modelId, body, expected) => {
    expect(used(body, modelId)).toEqual(expected)
  })
})

describe('a request nested in countTokens', () => {
  const request = { tools: [{ google_search: {} }], ...modalities(['IMAGE']) }

  it.each([
    [{ generateContentRequest: request }, ['googleSearch', 'imageOutput']],
    [{ generate_content_request: request }, ['googleSearch', 'imageOutput']],
    [{ generateContentRequest: [request] }, ['googleSearch', 'imageOutput']],
    [{ generateContentRequest: null }, []],
    [{ generateContentRequest: 'x' }, []],
    [
      { generateContentRequest: { tools: [{ codeExecution: {} }] }, tools: [{ urlContext: {} }] },
      ['codeExecution', 'urlContext'],
    ],
    [{ generateContentRequest: {}, generate_content_request: request }, ['googleSearch', 'imageOutput']],
  ])('%j uses %j', (body, expected) => {
    expect(used(body)).toEqual(expected)
  })

  it('never hides what the outer request does', () => {
    expect(used({ generateContentRequest: modalities(['TEXT']) }, IMAGE_MODEL)).toEqual(['imageOutput'])
    expect(used({ ...modalities(['TEXT']), generateContentRequest: {} }, IMAGE_MODEL)).toEqual([
      'imageOutput',
    ])
  })
})

describe('spellings', () => {
  const snakeCase = (name: string) => name.replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
  const respell = (value: unknown, choose: (name: string) => string): unknown => {
    if (Array.isArray(value)) return value.map(entry => respell(entry, choose))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([name, entry]) => [choose(name), respell(entry, choose)]),
    )
  }

  it('make no difference anywhere', () => {
    const field = fc.constantFrom(
      'googleSearch',
      'googleMaps',
      'urlContext',
      'functionDeclarations',
      'fileSearch',
    )
    const request = fc.record(
      {
        tools: fc.array(fc.dictionary(field, fc.constantFrom({}, null)), { maxLength: 3 }),
        generationConfig: fc.record(
          {
            responseModalities: fc.array(fc.constantFrom('TEXT', 'IMAGE', 'AUDIO', 2), { maxLength: 2 }),
            speechConfig: fc.constant({}),
          },
          { requiredKeys: [] },
        ),
      },
      { requiredKeys: [] },
    )
    const body = fc.oneof(
      request,
      request.map(generateContentRequest => ({ generateContentRequest })),
    )
    fc.assert(
      fc.property(
        body,
        fc.constantFrom(TEXT_MODEL, IMAGE_MODEL),
        fc.infiniteStream(fc.boolean()),
        (value, model, coin) => {
          const mixed = respell(value, name => (coin.next().value ? snakeCase(name) : name))
          expect(used(mixed, model)).toEqual(used(value, model))
        },
      ),
    )
  })
})

it.each([
  ['googleSearch', 'googleSearch', true],
  ['imageOutput', 'imageOutput', true],
  ['other:fileSearch', 'fileSearch', false],
  ['other:googleSearch', 'googleSearch', false],
] as const)('%s is called %s; in allowedTools: %s', (tool, name, allowable) => {
  expect(toolName(tool)).toBe(name)
  expect(isAllowable(tool)).toBe(allowable)
})
