import { describe, expect, it } from 'vitest'
import { ApiError } from './error.ts'
import { parseMask } from './field-mask.ts'

const MUTABLE = ['displayName', 'labels', 'restrictions'] as const
const fields = (mask: string | undefined, present: readonly string[] = []) => [
  ...parseMask(mask, MUTABLE, present),
]

describe('an update mask', () => {
  it.each([
    ['displayName', ['displayName']],
    ['display_name,restrictions', ['displayName', 'restrictions']],
    [' labels , display_name ', ['labels', 'displayName']],
    ['labels,labels', ['labels']],
    ['*', ['displayName', 'labels', 'restrictions']],
  ])('%s names its fields in either spelling', (mask, expected) => {
    expect(fields(mask)).toEqual(expected)
  })

  it.each([undefined, '', ' '])('%o means the mutable fields that are present', mask => {
    expect(fields(mask, ['labels', 'etag', 'name'])).toEqual(['labels'])
  })

  it.each([
    'etag',
    'name',
    'labels.env',
    'restrictions.api_targets',
    '*,labels',
    'labels,',
    'DisplayName',
    '__proto__',
  ])('%s is refused with the names that are valid', mask => {
    expect(() => fields(mask)).toThrow(ApiError)
    expect(() => fields(mask)).toThrow(/Valid are displayName, labels, restrictions, or \* alone/)
  })
})
