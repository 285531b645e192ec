import { expect, test } from 'vitest'
import { EMPTY_DRAFT, type KeyDraft, bodyOf } from './draft.ts'
import { prefillOf } from './prefill.ts'
import { sentenceOf } from './sentence.ts'

const prefill = (search: string) => prefillOf(new URLSearchParams(search))

test('the address fills a draft in, a template first', () => {
  const { draft, leftOut } = prefill(
    'project=shop&name=Cart&referrers=a.example/*,b.example/*&cap=3&template=browser',
  )
  expect(draft).toMatchObject({
    project: 'shop',
    name: 'Cart',
    environment: 'production',
    clients: 'referrers',
    referrers: 'a.example/*\nb.example/*',
    tools: [],
    cap: '3',
  })
  expect(leftOut).toEqual([])
})

test.each<[search: string, change: Partial<KeyDraft>]>([
  ['environment=staging', { environment: 'staging' }],
  ['methods=GenerateContent,ListModels', { methods: ['GenerateContent', 'ListModels'] }],
  ['tools=', { tools: [] }],
  ['tools=codeExecution', { tools: ['codeExecution'] }],
  ['models=gemini-2.5-pro,gemini-embedding-*', { models: 'gemini-2.5-pro\ngemini-embedding-*' }],
  ['rpm=60&tpm=1000&rpd=10', { rpm: '60', tpm: '1000', rpd: '10' }],
  ['period=day&policy=refuse', { period: 'day', policy: 'refuse' }],
  ['expires=never', {}],
  ['expires=14', { expiry: '14' }],
])('%j is understood', (search, change) => {
  expect(prefill(search)).toEqual({ draft: { ...EMPTY_DRAFT, ...change }, leftOut: [] })
})

test.each<[search: string, field: keyof KeyDraft | null]>([
  ['methods=nonsense!', 'methods'],
  ['methods=GenerateContent,nonsense!', 'methods'],
  ['methods=', 'methods'],
  ['expires=soon', 'expiry'],
  ['expires=0', 'expiry'],
  ['expires=1.5', 'expiry'],
  ['expires=99999', 'expiry'],
  ['period=week', 'period'],
  ['policy=Refuse', 'policy'],
  ['environment=prod', 'environment'],
  ['tools=codeexecution', 'tools'],
  ['models=', 'models'],
  ['cap=', 'cap'],
  ['rpm=', 'rpm'],
  ['template=constructor', null],
  ['expire=14', null],
  ['cap=1&cap=2', 'cap'],
  ['addresses=203.0.113.7&referrers=a.example', 'clients'],
])('%j is left out, and said to be', (search, field) => {
  const { draft, leftOut } = prefill(search)
  expect(draft).toEqual(EMPTY_DRAFT)
  const parts = search.split('&').map(part => part.split('='))
  expect(leftOut).toEqual(parts.map(([name, value]) => ({ name, value, field })))
})

test('any whole number of days is an expiry', () => {
  const { draft } = prefill('expires=14')
  const nowMs = Date.parse('2026-11-21T10:00:00Z')
  expect(bodyOf(draft, nowMs).expireTime).toBe('2026-12-05T10:00:00.000Z')
  expect(sentenceOf(draft)).toMatch(/It expires in 14 days\.$/)
})
