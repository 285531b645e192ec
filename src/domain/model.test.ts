import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileModels, isModelId, modelOutputs, parseModelPattern } from './model.ts'

describe('isModelId', () => {
  it.each([
    'gemini-3.8-flash',
    'gemma-4-26b-a4b-it',
    'my_alias',
    'A',
    '0',
    '9x',
    'a..b',
    'a-',
    'x'.repeat(128),
  ])('takes %s', id => {
    expect(isModelId(id)).toBe(true)
  })

  it.each([
    '',
    '.',
    '..',
    '...',
    '.a',
    '-a',
    '_a',
    'models/a',
    'a/b',
    '/',
    'a\\b',
    'a%2fb',
    'a:b',
    'a*',
    '*',
    'a b',
    ' a',
    'a ',
    'a\n',
    'ä',
    'a\0',
    'a?b',
    'a#b',
    'a@1',
    'x'.repeat(129),
  ])('refuses %j', id => {
    expect(isModelId(id)).toBe(false)
  })
})

describe('parseModelPattern', () => {
  it.each([
    ['gemini-3.8-flash', 'gemini-3.8-flash'],
    ['models/gemini-3.8-flash', 'gemini-3.8-flash'],
    ['gemini-*', 'gemini-*'],
    ['models/gemini-*', 'gemini-*'],
    ['*', '*'],
    ['models/*', '*'],
    [`${'x'.repeat(128)}*`, `${'x'.repeat(128)}*`],
  ])('reads %s as %s', (text, pattern) => {
    expect(parseModelPattern(text)).toBe(pattern)
  })

  it.each([
    '',
    'models/',
    'Models/a',
    'models/models/a',
    'a/models/b',
    '*-flash',
    'gemini-*-flash',
    '**',
    'a**',
    '.*',
    'gemini *',
    'tunedModels/a',
    'x'.repeat(129),
    `${'x'.repeat(129)}*`,
  ])('refuses %j', text => {
    expect(parseModelPattern(text)).toBeNull()
  })
})

describe('compileModels', () => {
  it.each([
    [['gemini-3.8-flash'], 'gemini-3.8-flash', true],
    [['models/gemini-3.8-flash'], 'gemini-3.8-flash', true],
    [['gemini-3.8-flash'], 'gemini-3.8-flash-lite', false],
    [['gemini-3.8-flash'], 'gemini-3.8', false],
    [['gemini-3.8-flash'], 'gemini-3x8-flash', false],
    [['gemini-3.8-flash'], 'Gemini-3.8-flash', false],
    [['gemini-3.8-*'], 'gemini-3.8-flash-lite', true],
    [['gemini-3.8-*'], 'gemini-3.8-', true],
    [['gemini-3.8-*'], 'gemini-3.7-flash', false],
    [['models/gemini-3.8-*'], 'gemini-3.8-flash', true],
    [['Gemini-*'], 'gemini-3.8-flash', false],
    [['flash*'], 'gemini-3.8-flash', false],
    [['*'], 'anything', true],
    [['a', 'b*', 'c'], 'a', true],
    [['a', 'b*', 'c'], 'bx', true],
    [['a', 'b*', 'c'], 'c', true],
    [['a', 'b*', 'd*'], 'dx', true],
    [['a', 'b*', 'c'], 'cx', false],
    [['*-flash'], 'gemini-3.8-flash', false],
    [['*-flash'], '*-flash', false],
    [['*-flash', 'a'], 'a', true],
    [['', '**', 'models/'], '', false],
    [[], 'gemini-3.8-flash', false],
  ])('%j allows %s: %s', (patterns, modelId, expected) => {
    expect(compileModels(patterns)(modelId)).toBe(expected)
  })

  it('agrees with a plain reading', () => {
    const id = fc.string({ unit: fc.constantFrom('a', 'b', '-', '.'), minLength: 1, maxLength: 4 })
    const stem = id.filter(isModelId)
    const pattern = fc
      .tuple(fc.constantFrom('', 'models/'), stem, fc.constantFrom('', '*'))
      .map(parts => parts.join(''))
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 4 }), id, (patterns, modelId) => {
        const expected = patterns
          .map(text => text.replace(/^models\//, ''))
          .some(text => (text.endsWith('*') ? modelId.startsWith(text.slice(0, -1)) : modelId === text))
        expect(compileModels(patterns)(modelId)).toBe(expected)
      }),
    )
  })
})

describe('modelOutputs', () => {
  it.each([
    ['gemini-nano-banana-2.1', 'image'],
    ['nano-banana-pro-preview', 'image'],
    ['gemini-3-pro-image', 'image'],
    ['gemini-3-pro-image-preview', 'image'],
    ['gemini-3.1-flash-lite-image', 'image'],
    ['gemini-2.5-flash-image', 'image'],
    ['gemini-2.0-flash-preview-image-generation', 'image'],
    ['imagen-4.0-generate-001', 'image'],
    ['imagen4', 'image'],
    ['GEMINI-3-PRO-IMAGE', 'image'],
    ['gemini-3.8-flash-tts', 'audio'],
    ['gemini-3.8-flash-lite-tts', 'audio'],
    ['gemini-2.5-pro-preview-tts', 'audio'],
    ['GEMINI-3.8-FLASH-TTS', 'audio'],
    ['gemini-2.5-flash-native-audio', 'audio'],
    ['gemini-2.5-flash-exp-native-audio-thinking-dialog', 'audio'],
    ['gemini-3.8-live', 'audio'],
    ['gemini-3.8-live-extended-thinking', 'audio'],
    ['gemini-3.5-live-translate-preview', 'audio'],
    ['lyria-3.5', 'audio'],
    ['lyria-3-clip-preview', 'audio'],
    ['veo-3.1-fast-generate-preview', 'image audio'],
    ['gemini-omni-1.1-flash', 'image audio'],
    ['gemini-3.5-transcribe', ''],
    ['gemini-3.5-transcribe-live', ''],
    ['GEMINI-3.5-TRANSCRIBE-LIVE', ''],
    ['gemini-4-argon', ''],
    ['gemini-3.8-flash', ''],
    ['gemini-3.1-pro-preview-customtools', ''],
    ['gemini-2.5-computer-use-preview-10-2025', ''],
    ['gemini-embedding-2', ''],
    ['gemini-decision-1', ''],
    ['gemma-4-31b-it', ''],
    ['gemini-robotics-er-2-preview', ''],
    ['deep-research-preview-04-2026', ''],
    ['olive-1', ''],
    ['lively-1', ''],
    ['watts', ''],
    ['imagery-1', ''],
    ['reimage-1', ''],
    ['xtranscribe-live', 'audio'],
    ['transcriber-live', 'audio'],
    ['sandbox-429', ''],
  ])('%s puts out %j beside text', (modelId, expected) => {
    const { image, audio } = modelOutputs(modelId)
    expect([image && 'image', audio && 'audio'].filter(Boolean).join(' ')).toBe(expected)
  })
})
