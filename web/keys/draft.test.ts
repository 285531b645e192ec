import { describe, expect, test } from 'vitest'
import { EMPTY_DRAFT, type KeyDraft, bodyOf, capOf, keyIdOf, problemsOf } from './draft.ts'
import { cliCommands, curlCommands } from './equivalents.ts'
import { draftOf, patchOf } from './patch.ts'
import { sentenceOf } from './sentence.ts'

const NOW_MS = Date.parse('2026-11-21T10:00:00Z')
const draft = (change: Partial<KeyDraft>): KeyDraft => ({ ...EMPTY_DRAFT, project: 'shop', ...change })

describe('a draft', () => {
  test('of nothing but a name restricts nothing', () => {
    expect(bodyOf(draft({ name: ' Web shop ' }), NOW_MS)).toEqual({ displayName: 'Web shop' })
  })

  test('becomes the body that the API takes', () => {
    const full = draft({
      name: 'Checkout',
      environment: 'production',
      clients: 'addresses',
      addresses: '203.0.113.7\n\n 198.51.100.0/24 ',
      referrers: 'https://left.example/*',
      methods: ['GenerateContent'],
      models: 'gemini-3.8-flash, gemini-embedding-*',
      tools: [],
      expiry: '30',
    })
    expect(bodyOf(full, NOW_MS)).toEqual({
      displayName: 'Checkout',
      environment: 'production',
      restrictions: {
        serverKeyRestrictions: { allowedIps: ['203.0.113.7', '198.51.100.0/24'] },
        apiTargets: [{ service: 'generativelanguage.googleapis.com', methods: ['GenerateContent'] }],
      },
      allowedModels: ['gemini-3.8-flash', 'gemini-embedding-*'],
      allowedTools: [],
      expireTime: '2026-12-21T10:00:00.000Z',
    })
  })

  test.each<[string, Partial<KeyDraft>, keyof ReturnType<typeof problemsOf>, RegExp]>([
    [
      'an address that is none',
      { clients: 'addresses', addresses: '203.0.113.7\nshop' },
      'clients',
      /^Line 2: must be/,
    ],
    ['a client kind without an entry', { clients: 'referrers' }, 'clients', /restricts nothing/],
    ['a model that is none', { models: 'gemini flash' }, 'models', /^Line 1: use a model id/],
    ['a cap that is no amount', { cap: '1e3' }, 'cap', /dollars/],
    ['a cap that is too high', { cap: '9000000.01' }, 'cap', /at most \$9000000\.00/],
    ['a quota that is no number', { rpm: 'many' }, 'rpm', /whole number/],
    ['an expiry in the past', { expiry: 'at', expireTime: '2020-01-01T00:00' }, 'expiry', /future/],
    ['a name that is too long', { name: 'x'.repeat(64) }, 'name', /63 characters/],
  ])('says while it is typed what is wrong with %s', (_, change, field, text) => {
    const problems = problemsOf(draft(change), NOW_MS)
    expect(problems[field]).toMatch(text)
    expect(Object.values(problems).filter(problem => problem !== null)).toHaveLength(1)
  })

  test('counts its cap in nano-dollars, and has none where it cannot be read', () => {
    expect(capOf(draft({ cap: '10.00' }))).toBe('10000000000')
    expect(capOf(draft({ cap: '' }))).toBeNull()
    expect(capOf(draft({ cap: '-1' }))).toBeNull()
  })

  test('gives the key a readable id that is not taken', () => {
    expect(keyIdOf('Web shop!', new Set())).toBe('web-shop')
    expect(keyIdOf('Web shop', new Set(['web-shop', 'web-shop-2']))).toBe('web-shop-3')
    expect(keyIdOf('東京', new Set())).toBeUndefined()
  })
})

describe('what the form says of a draft', () => {
  const described = draft({
    name: "Bob's",
    clients: 'addresses',
    addresses: '203.0.113.7',
    models: 'gemini-3.8-flash',
    tools: [],
    cap: '10.00',
    expiry: '90',
  })

  test('is a sentence', () => {
    expect(sentenceOf(described)).toBe(
      'May call every method, on gemini-3.8-flash, without tools, from the address 203.0.113.7. ' +
        'Spends at most $10.00 a month, to the nano-dollar; answers are cut to fit what is left. It expires in 90 days.',
    )
    expect(sentenceOf(draft({}))).toMatch(/every method, on every model, with every tool, from anywhere/)
  })

  test('is a command and a request, quoted for a shell', () => {
    const place = { origin: 'http://127.0.0.1:8700', keyId: 'bobs', nowMs: NOW_MS }
    expect(cliCommands(described, place)).toContain(`--display-name 'Bob'\\''s'`)
    expect(cliCommands(described, place)).toContain('--allowed-tools none')
    expect(cliCommands(described, place)).toContain('pollux budgets set')
    expect(curlCommands(described, place)).toContain('/pollux/v1/projects/shop/keys?keyId=bobs')
    expect(curlCommands(described, place)).toContain(`"cap":"10000000000"`)
  })
})

describe('a change of a key', () => {
  const key = {
    name: 'projects/1/locations/global/keys/k',
    uid: 'u',
    etag: 'e',
    createTime: '2026-11-01T00:00:00Z',
    updateTime: '2026-11-01T00:00:00Z',
    state: 'ACTIVE',
    maskedKeyString: 'plx_…aaaa',
    displayName: 'Cart',
  } as const

  test('sends what was touched and nothing else', () => {
    const none = { ...key, allowedModels: [] }
    const before = draftOf(none, 'shop')
    expect(patchOf(none, before, { ...before, name: 'Basket' })).toEqual({ displayName: 'Basket' })
  })

  test('clears what was emptied', () => {
    const capped = { ...key, allowedModels: ['gemini-3.8-flash'], environment: 'staging' as const }
    const before = draftOf(capped, 'shop')
    expect(patchOf(capped, before, { ...before, models: '', environment: '' })).toEqual({
      environment: null,
      allowedModels: null,
    })
  })

  test('keeps targets that the form cannot show', () => {
    const apiTargets = [{ service: 'generativelanguage.googleapis.com', methods: ['Get*'] }]
    const targeted = { ...key, restrictions: { apiTargets } }
    const before = draftOf(targeted, 'shop')
    expect(patchOf(targeted, before, { ...before, clients: 'addresses', addresses: '203.0.113.7' })).toEqual({
      restrictions: { serverKeyRestrictions: { allowedIps: ['203.0.113.7'] }, apiTargets },
    })
  })
})
