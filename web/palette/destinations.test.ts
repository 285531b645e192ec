import { describe, expect, it } from 'vitest'
import { type Destination, bestOf } from './destinations.ts'

const KEY: Destination = { to: '/1', text: 'Order service', more: 'order-service plx_…A1b2', kind: 'Key' }
const PROJECT: Destination = { to: '/2', text: 'Web shop', more: 'web-shop', kind: 'Project' }
const SCREEN: Destination = { to: '/3', text: 'Projects', more: '', kind: 'Screen' }
const ALL = [SCREEN, PROJECT, KEY]

describe('what is meant by a few letters', () => {
  it.each([
    ['', [SCREEN, PROJECT, KEY]],
    ['ord', [KEY]],
    ['service order', [KEY]],
    ['A1B2', [KEY]],
    ['web-sh', [PROJECT]],
    // Begun words come before mere parts.
    ['s', [PROJECT, KEY, SCREEN]],
    ['jects', [SCREEN]],
    ['nothing like it', []],
  ])('%j', (typed, expected) => {
    expect(bestOf(ALL, typed)).toEqual(expected)
  })

  it('is at most a dozen', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => ({ ...KEY, to: `/${index}` }))
    expect(bestOf(many, 'order')).toHaveLength(12)
  })
})
