import { expect, test } from 'vitest'
import { gridOf, metricsOf, modelText, shownLimit } from './metrics.ts'

const limits = [
  { metric: 'requestsPerDay', value: '1' },
  { metric: 'requestsPerMinute', model: '*', value: '2' },
  { metric: 'requestsPerDay', model: 'veo-3', value: '0' },
  { metric: 'requestsPerDay', model: 'gemini-2.5-pro', value: '3' },
  { metric: 'requestsPerMinute', model: 'gemini-3.8-flash', value: '4' },
  { metric: 'requestsPerDay', model: 'gemini-3.8-flash', value: '5' },
] as const

test('a grid has newer models first, then each other model, then all together', () => {
  expect(gridOf(limits).map(({ model }) => model)).toEqual([
    'gemini-3.8-flash',
    'gemini-2.5-pro',
    'veo-3',
    '*',
    '',
  ])
  expect(gridOf(limits)[0]?.cells.get('requestsPerDay')?.value).toBe('5')
})

test('only metrics that are limited have a column', () => {
  expect(metricsOf(limits)).toEqual(['requestsPerMinute', 'requestsPerDay'])
})

test.each([
  ['250000', '250,000'],
  ['-1', 'no limit'],
  ['0', '0'],
])('a limit of %s reads %s', (value, text) => expect(shownLimit(value)).toBe(text))

test('every place of a limit has words', () => {
  expect([modelText('*'), modelText(''), modelText(undefined), modelText('gemini-2.5-pro')]).toEqual([
    'Each other model',
    'All models together',
    'All models together',
    'gemini-2.5-pro',
  ])
})
