import { InvalidArgumentError } from 'commander'
import { describe, expect, it } from 'vitest'
import { nanosOfUsd, shownUsd, sumOfNanos, toolCeilings } from './dollars.ts'

describe('dollars of a flag', () => {
  it.each([
    ['1.00', '1000000000'],
    ['0.000000001', '1'],
    ['0', '0'],
    ['9000000', '9000000000000000'],
  ])('%s are %s nano-dollars', (text, nanos) => {
    expect(nanosOfUsd(text)).toBe(nanos)
  })

  it.each([
    '',
    '-1',
    '-0',
    '1e3',
    '1E-9',
    '0.0000000001',
    '1,00',
    '$1',
    'NaN',
    'Infinity',
    '9000000.000000001',
  ])('%j are refused with what to write', text => {
    expect(() => nanosOfUsd(text)).toThrow(InvalidArgumentError)
    expect(() => nanosOfUsd(text)).toThrow(/such as 1\.00/)
  })
})

describe('tool ceilings of a flag', () => {
  it('are one map, with commas and repetition', () => {
    const first = toolCeilings('googleSearch=0.10,urlContext=1')
    expect(toolCeilings('codeExecution=0.000000001', first)).toEqual({
      googleSearch: '100000000',
      urlContext: '1000000000',
      codeExecution: '1',
    })
  })

  it.each(['', 'googleSearch', 'search=1', 'constructor=1', 'googleSearch=-1', 'googleSearch=1e1'])(
    '%j are refused',
    text => {
      expect(() => toolCeilings(text)).toThrow(InvalidArgumentError)
    },
  )
})

describe('amounts of the API', () => {
  it('are shown exactly, however large', () => {
    expect(shownUsd('1000000001')).toBe('$1.000000001')
    expect(shownUsd('123456789012345678901')).toBe('$123456789012.345678901')
    expect(shownUsd('nothing')).toBe('nothing')
  })

  it('add up beyond 2^53', () => {
    expect(sumOfNanos(['9007199254740993', '2'])).toBe('9007199254740995')
    expect(sumOfNanos([])).toBe('0')
  })
})
