import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { withOutputLimit } from './output-limit.ts'

const set = (text: string, maxOutputTokens: number, thinkingBudget: number | null = null): string =>
  withOutputLimit(Buffer.from(text), { maxOutputTokens, thinkingBudget }).toString('utf8')

describe('the output limit is set, and nothing else changes', () => {
  it.each([
    ['{}', '{"generationConfig":{"maxOutputTokens":7}}'],
    [' { } ', ' {"generationConfig":{"maxOutputTokens":7} } '],
    ['{"contents":[]}', '{"generationConfig":{"maxOutputTokens":7},"contents":[]}'],
    ['{"generationConfig":{}}', '{"generationConfig":{"maxOutputTokens":7}}'],
    ['{"generationConfig":null,"a":1}', '{"generationConfig":{"maxOutputTokens":7},"a":1}'],
    [
      '{"generation_config" : { "temperature":1, "max_output_tokens" : 99 } }',
      '{"generation_config" : { "temperature":1, "max_output_tokens" : 7} }',
    ],
    [
      '{"a":"generationConfig","b":{"maxOutputTokens":5},"generationConfig":{"topK":[1,{"x":"}\\""}],"maxOutputTokens":"12"}}',
      '{"a":"generationConfig","b":{"maxOutputTokens":5},"generationConfig":{"topK":[1,{"x":"}\\""}],"maxOutputTokens":7}}',
    ],
    [
      '{"n":12345678901234567890.10}',
      '{"generationConfig":{"maxOutputTokens":7},"n":12345678901234567890.10}',
    ],
    [
      String.raw`{"generationConfi\u0067":{"maxOutputTokens":5}}`,
      String.raw`{"generationConfi\u0067":{"maxOutputTokens":7}}`,
    ],
  ])('%s', (before, after) => {
    expect(set(before, 7)).toBe(after)
  })

  it('together with the thinking budget', () => {
    expect(set('{"generationConfig":{"thinkingConfig":{"thinkingBudget":9000}}}', 512, 256)).toBe(
      '{"generationConfig":{"maxOutputTokens":512,"thinkingConfig":{"thinkingBudget":256}}}',
    )
  })

  it('in any body', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.option(fc.dictionary(fc.string(), fc.jsonValue()), { nil: undefined }),
        fc.constantFrom(0, 2),
        (body, config, indent) => {
          const given = config === undefined ? body : { ...body, generationConfig: config }
          delete (given as Record<string, unknown>)['generation_config']
          const edited = JSON.parse(set(JSON.stringify(given, null, indent), 11)) as unknown
          const expected = JSON.parse(JSON.stringify(given)) as Record<string, unknown>
          const known = expected['generationConfig']
          const object = typeof known === 'object' && known !== null && !Array.isArray(known) ? known : {}
          expect(edited).toEqual({ ...expected, generationConfig: { ...object, maxOutputTokens: 11 } })
        },
      ),
    )
  })
})
