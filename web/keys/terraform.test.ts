import { expect, test } from 'vitest'
import { EMPTY_DRAFT, quotasOf } from './draft.ts'
import { cliCommands, curlCommands } from './equivalents.ts'
import { sentenceOf } from './sentence.ts'
import { terraformText } from './terraform.ts'

const PLACE = { origin: 'http://localhost:8700', keyId: 'check-out', nowMs: 0 }
const NAMED = { ...EMPTY_DRAFT, project: 'web-shop', name: 'Check out' }

test('a key without restrictions is a provider and a resource', () => {
  expect(terraformText(NAMED, PLACE).split('\n').slice(2)).toEqual([
    'provider "google" {',
    '  apikeys_custom_endpoint = "http://localhost:8700/v2/"',
    '}',
    '',
    'resource "google_apikeys_key" "check_out" {',
    '  project      = "web-shop"',
    '  name         = "check-out"',
    '  display_name = "Check out"',
    '}',
  ])
})

test('every kind of restriction has its block', () => {
  const server = { ...NAMED, clients: 'addresses', addresses: '203.0.113.7\n10.0.0.0/8' } as const
  expect(terraformText({ ...server, methods: ['GetModel'] }, PLACE)).toContain(
    [
      '  restrictions {',
      '    server_key_restrictions {',
      '      allowed_ips = ["203.0.113.7", "10.0.0.0/8"]',
      '    }',
      '    api_targets {',
      '      service = "generativelanguage.googleapis.com"',
      '      methods = ["GetModel"]',
      '    }',
      '  }',
    ].join('\n'),
  )
  const pages = { ...NAMED, clients: 'referrers', referrers: 'https://shop.example/*' } as const
  expect(terraformText(pages, PLACE)).toContain('allowed_referrers = ["https://shop.example/*"]')
  const apps = { ...NAMED, clients: 'applications', applications: 'com.example.app AB:CD' } as const
  expect(terraformText(apps, PLACE)).toMatch(
    /android_key_restrictions \{\s+allowed_applications \{\s+package_name {5}= "com\.example\.app"\s+sha1_fingerprint = "AB:CD"/,
  )
  const ios = { ...NAMED, clients: 'bundleIds', bundleIds: 'com.example.app' } as const
  expect(terraformText(ios, PLACE)).toContain('allowed_bundle_ids = ["com.example.app"]')
})

test('a name cannot begin a template, and what the resource cannot say is named', () => {
  const draft = { ...NAMED, name: 'a "${b}" %{c}', models: 'gemini-3.8-flash', rpm: '5', cap: '1.00' }
  const text = terraformText(draft, PLACE)
  expect(text).toContain('display_name = "a \\"$${b}\\" %%{c}"')
  expect(text).toContain('# The resource has no field for models, quotas, the budget.')
  expect(terraformText(NAMED, PLACE)).not.toContain('no field')
})

test('quotas stand in the sentence, in the commands and in curl', () => {
  const draft = { ...NAMED, rpm: '60', rpd: ' 1000 ' }
  expect(quotasOf(draft)).toEqual([
    { metric: 'requestsPerMinute', value: '60' },
    { metric: 'requestsPerDay', value: '1000' },
  ])
  expect(sentenceOf(draft)).toContain('At most 60 requests a minute, 1000 requests a day.')
  expect(cliCommands(draft, PLACE)).toMatch(
    /pollux quotas set \\\n +--project web-shop \\\n +--key check-out \\\n +--metric requestsPerDay \\\n +--value 1000/,
  )
  expect(curlCommands(draft, PLACE)).toContain('/keys/check-out/quotaLimits:set')
})
