import { expect, test } from 'vitest'
import { EMPTY_DRAFT } from './draft.ts'
import { TEMPLATES, withTemplate } from './templates.ts'

const START = { ...EMPTY_DRAFT, project: 'shop', name: 'Checkout' }
const IDS = [...Object.keys(TEMPLATES), '']

test.each(IDS.flatMap(first => IDS.map(second => [first, second] as const)))(
  'after the template %j, %j is what it is alone',
  (first, second) => {
    expect(withTemplate(withTemplate(START, first), second)).toEqual({
      ...START,
      ...TEMPLATES[second]?.draft,
    })
  },
)
