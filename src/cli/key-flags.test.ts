import { describe, expect, test } from 'vitest'
import { type ClearFlags, type KeyFlags, changesPartOfRestrictions, keyInput, keyPatch } from './key-flags.ts'

const SERVICE = 'generativelanguage.googleapis.com'
const CURRENT = {
  serverKeyRestrictions: { allowedIps: ['203.0.113.7'] },
  apiTargets: [{ service: SERVICE }],
}

describe('the mask of an update holds exactly the fields that flags were given for', () => {
  const cases: [KeyFlags & ClearFlags, string, object][] = [
    [{ displayName: 'Web' }, 'displayName', { displayName: 'Web' }],
    [{ displayName: '' }, 'displayName', { displayName: '' }],
    [{ expires: '2027-01-01T00:00:00.000Z' }, 'expireTime', { expireTime: '2027-01-01T00:00:00.000Z' }],
    [{ allowedModels: [] }, 'allowedModels', { allowedModels: [] }],
    [
      { clearAllowedModels: true, clearAllowedTools: true, clearEnvironment: true, clearExpireTime: true },
      'allowedModels,allowedTools,environment,expireTime',
      { allowedModels: null, allowedTools: null, environment: null, expireTime: null },
    ],
    [{ clearAnnotations: true }, 'annotations', { annotations: {} }],
    [{ clearRestrictions: true }, 'restrictions', { restrictions: {} }],
  ]
  test.each(cases)('%j', (flags, updateMask, body) => {
    expect(keyPatch(flags, undefined)).toEqual({ updateMask, body })
  })

  test('and no flag at all is a usage error', () => {
    expect(() => keyPatch({}, CURRENT)).toThrow(/what to change/)
  })
})

describe('what an update does not speak of stays', () => {
  const cases: [string, KeyFlags & ClearFlags, object][] = [
    [
      'another kind of client keeps the APIs',
      { allowedReferrers: ['example.com/*'] },
      { browserKeyRestrictions: { allowedReferrers: ['example.com/*'] }, apiTargets: CURRENT.apiTargets },
    ],
    [
      'another API keeps the clients',
      { apiTarget: [{ service: 'x', methods: ['A'] }] },
      {
        serverKeyRestrictions: CURRENT.serverKeyRestrictions,
        apiTargets: [{ service: 'x', methods: ['A'] }],
      },
    ],
    [
      'clearing the clients keeps the APIs',
      { clearClientRestrictions: true },
      { apiTargets: CURRENT.apiTargets },
    ],
    [
      'clearing the APIs keeps the clients',
      { clearApiTargets: true },
      { serverKeyRestrictions: CURRENT.serverKeyRestrictions },
    ],
  ]
  test.each(cases)('%s', (_, flags, restrictions) => {
    expect(changesPartOfRestrictions(flags)).toBe(true)
    expect(keyPatch(flags, CURRENT).body).toEqual({ restrictions })
  })

  test('both parts at once need nothing of what was', () => {
    expect(changesPartOfRestrictions({ allowedIps: ['::1'], clearApiTargets: true })).toBe(false)
    expect(changesPartOfRestrictions({ displayName: 'x' })).toBe(false)
  })
})

test('a new key carries every flag, and two kinds of clients go out for the server to refuse', () => {
  expect(
    keyInput({
      displayName: 'Web',
      allowedIps: ['::1'],
      allowedBundleIds: ['com.example'],
      allowedApplication: [{ sha1Fingerprint: 'AA', packageName: 'p' }],
      apiTarget: [{ service: SERVICE }],
      allowedModels: ['gemini-3*'],
      allowedTools: ['googleSearch'],
      environment: 'staging',
      annotations: { team: 'web' },
    }),
  ).toEqual({
    displayName: 'Web',
    restrictions: {
      serverKeyRestrictions: { allowedIps: ['::1'] },
      iosKeyRestrictions: { allowedBundleIds: ['com.example'] },
      androidKeyRestrictions: { allowedApplications: [{ sha1Fingerprint: 'AA', packageName: 'p' }] },
      apiTargets: [{ service: SERVICE }],
    },
    allowedModels: ['gemini-3*'],
    allowedTools: ['googleSearch'],
    environment: 'staging',
    annotations: { team: 'web' },
  })
})
