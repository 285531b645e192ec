import { expect, test } from 'vitest'
import { draftFrom } from './prefill.ts'

test('the address fills a draft in, a template first', () => {
  const search = new URLSearchParams(
    'template=browser&project=shop&name=Cart&referrers=a.example/*,b.example/*&cap=3',
  )
  expect(draftFrom(search)).toMatchObject({
    project: 'shop',
    name: 'Cart',
    environment: 'production',
    clients: 'referrers',
    referrers: 'a.example/*\nb.example/*',
    tools: [],
    cap: '3',
  })
})
