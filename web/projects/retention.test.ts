import { expect, it } from 'vitest'
import { retentionOptions, retentionText } from './retention.ts'

it.each([
  [1, '1 hour'],
  [24, '24 hours'],
  [36, '36 hours'],
  [48, '2 days'],
  [720, '30 days'],
])('%i hours are said as %s', (hours, text) => {
  expect(retentionText(hours)).toBe(text)
})

it('lets one keep what was set elsewhere', () => {
  expect(retentionOptions(null).map(([value]) => value)).not.toContain('36')
  expect(retentionOptions(36).map(([value]) => value)).toEqual([
    '',
    '1',
    '6',
    '24',
    '36',
    '72',
    '168',
    '336',
    '720',
  ])
})
