import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ApiError, statusBody } from './error.ts'
import { parseRestrictions, RESTRICTION_ENTRIES_MAX } from './restriction.ts'

const SERVICE = 'generativelanguage.googleapis.com'
const SHA1 = 'DA39A3EE5E6B4B0D3255BFEF95601890AFD80709'
const COLONS = 'da:39:a3:ee:5e:6b:4b:0d:32:55:bf:ef:95:60:18:90:af:d8:07:09'

function refusal(action: () => unknown): ApiError | null {
  try {
    action()
    return null
  } catch (error) {
    if (error instanceof ApiError) return error
    throw error
  }
}

describe('parseRestrictions', () => {
  const browser = { browserKeyRestrictions: { allowedReferrers: ['a.example/*', '.*com', '.*'] } }
  const server = { serverKeyRestrictions: { allowedIps: ['127.0.0.1', '10.0.0.9/8', '2001:db8::/32'] } }
  const android = {
    androidKeyRestrictions: { allowedApplications: [{ sha1Fingerprint: SHA1, packageName: 'com.example' }] },
  }
  const ios = { iosKeyRestrictions: { allowedBundleIds: ['com.example.App'] } }
  const targets = { apiTargets: [{ service: SERVICE, methods: ['GET*', '*', 'GenerateContent'] }] }

  it.each([
    [undefined, {}],
    [null, {}],
    [{}, {}],
    [browser, browser],
    [server, server],
    [android, android],
    [ios, ios],
    [targets, targets],
    [
      { ...browser, ...targets },
      { ...browser, ...targets },
    ],
    // Strings are trimmed, otherwise kept as written.
    [
      { browserKeyRestrictions: { allowedReferrers: [' HTTPS://A.example '] } },
      { browserKeyRestrictions: { allowedReferrers: ['HTTPS://A.example'] } },
    ],
    [
      { serverKeyRestrictions: { allowedIps: [' 2001:DB8::1\t'] } },
      { serverKeyRestrictions: { allowedIps: ['2001:DB8::1'] } },
    ],
    [
      { apiTargets: [{ service: ' S ', methods: [' M* '] }] },
      { apiTargets: [{ service: 'S', methods: ['M*'] }] },
    ],
    // Fingerprints lose their colons.
    [
      {
        androidKeyRestrictions: {
          allowedApplications: [{ sha1Fingerprint: COLONS, packageName: ' com.example ' }],
        },
      },
      android,
    ],
    [
      {
        androidKeyRestrictions: {
          allowedApplications: [{ sha1Fingerprint: SHA1.toLowerCase(), packageName: 'com.example' }],
        },
      },
      android,
    ],
    // A client kind without entries is kept; empty targets and methods are not.
    [{ browserKeyRestrictions: {} }, { browserKeyRestrictions: { allowedReferrers: [] } }],
    [{ serverKeyRestrictions: { allowedIps: [] } }, { serverKeyRestrictions: { allowedIps: [] } }],
    [
      { androidKeyRestrictions: { allowedApplications: null } },
      { androidKeyRestrictions: { allowedApplications: [] } },
    ],
    [{ iosKeyRestrictions: {} }, { iosKeyRestrictions: { allowedBundleIds: [] } }],
    [{ apiTargets: [] }, {}],
    [{ apiTargets: null }, {}],
    [
      { apiTargets: [{ service: 'S', methods: [] }, { service: 'T' }] },
      { apiTargets: [{ service: 'S' }, { service: 'T' }] },
    ],
    // null is a field left out.
    [{ browserKeyRestrictions: null, ...server }, server],
    // snake_case.
    [{ browser_key_restrictions: { allowed_referrers: ['a.example/*', '.*com', '.*'] } }, browser],
    [{ server_key_restrictions: { allowed_ips: server.serverKeyRestrictions.allowedIps } }, server],
    [
      {
        android_key_restrictions: {
          allowed_applications: [{ sha1_fingerprint: SHA1, package_name: 'com.example' }],
        },
      },
      android,
    ],
    [
      { ios_key_restrictions: { allowed_bundle_ids: ['com.example.App'] }, api_targets: targets.apiTargets },
      { ...ios, ...targets },
    ],
  ])('reads %j', (input, expected) => {
    expect(parseRestrictions(input)).toEqual(expected)
  })

  const many = (count: number, entry: unknown) => Array.from({ length: count }, () => entry)
  const application = { sha1Fingerprint: SHA1, packageName: 'com.example' }
  const root = 'key.restrictions'

  it.each([
    ['text', root],
    [7, root],
    [[], root],
    [{ unknown: {} }, root],
    [{ allowedIps: [] }, root],
    [JSON.parse('{"__proto__":{}}'), root],
    [{ ...browser, ...server }, root],
    [{ browserKeyRestrictions: {}, iosKeyRestrictions: {} }, root],
    [{ android_key_restrictions: {}, serverKeyRestrictions: {} }, root],
    [{ browserKeyRestrictions: [] }, `${root}.browserKeyRestrictions`],
    [{ browserKeyRestrictions: { allowedIps: [] } }, `${root}.browserKeyRestrictions`],
    [{ serverKeyRestrictions: 'x' }, `${root}.serverKeyRestrictions`],
    [{ serverKeyRestrictions: { allowedReferrers: [] } }, `${root}.serverKeyRestrictions`],
    [{ androidKeyRestrictions: { allowedIps: [] } }, `${root}.androidKeyRestrictions`],
    [{ iosKeyRestrictions: { allowedIps: [] } }, `${root}.iosKeyRestrictions`],
    [
      { browserKeyRestrictions: { allowedReferrers: 'a' } },
      `${root}.browserKeyRestrictions.allowedReferrers`,
    ],
    [
      { browserKeyRestrictions: { allowedReferrers: ['a', ' '] } },
      `${root}.browserKeyRestrictions.allowedReferrers[1]`,
    ],
    [
      { browserKeyRestrictions: { allowedReferrers: ['x'.repeat(2049)] } },
      `${root}.browserKeyRestrictions.allowedReferrers[0]`,
    ],
    [
      { browserKeyRestrictions: { allowedReferrers: [7] } },
      `${root}.browserKeyRestrictions.allowedReferrers[0]`,
    ],
    [
      { browserKeyRestrictions: { allowedReferrers: [null] } },
      `${root}.browserKeyRestrictions.allowedReferrers[0]`,
    ],
    [
      { browserKeyRestrictions: { allowedReferrers: many(1201, 'a') } },
      `${root}.browserKeyRestrictions.allowedReferrers`,
    ],
    [
      { serverKeyRestrictions: { allowedIps: many(1201, '::1') } },
      `${root}.serverKeyRestrictions.allowedIps`,
    ],
    [
      { serverKeyRestrictions: { allowedIps: ['::1', '10.0.0.0/33', 'x'] } },
      `${root}.serverKeyRestrictions.allowedIps[1]`,
    ],
    [{ serverKeyRestrictions: { allowedIps: ['010.0.0.1'] } }, `${root}.serverKeyRestrictions.allowedIps[0]`],
    [
      { serverKeyRestrictions: { allowedIps: ['10.0.0.1:80'] } },
      `${root}.serverKeyRestrictions.allowedIps[0]`,
    ],
    [{ serverKeyRestrictions: { allowedIps: [''] } }, `${root}.serverKeyRestrictions.allowedIps[0]`],
    [
      { androidKeyRestrictions: { allowedApplications: {} } },
      `${root}.androidKeyRestrictions.allowedApplications`,
    ],
    [
      { androidKeyRestrictions: { allowedApplications: many(1201, application) } },
      `${root}.androidKeyRestrictions.allowedApplications`,
    ],
    [
      { androidKeyRestrictions: { allowedApplications: ['x'] } },
      `${root}.androidKeyRestrictions.allowedApplications[0]`,
    ],
    [
      { androidKeyRestrictions: { allowedApplications: [application, { ...application, x: 1 }] } },
      `${root}.androidKeyRestrictions.allowedApplications[1]`,
    ],
    [
      { androidKeyRestrictions: { allowedApplications: [{ packageName: 'a' }] } },
      `${root}.androidKeyRestrictions.allowedApplications[0].sha1Fingerprint`,
    ],
    [
      { androidKeyRestrictions: { allowedApplications: [{ sha1Fingerprint: SHA1 }] } },
      `${root}.androidKeyRestrictions.allowedApplications[0].packageName`,
    ],
    [
      { iosKeyRestrictions: { allowedBundleIds: ['a', ''] } },
      `${root}.iosKeyRestrictions.allowedBundleIds[1]`,
    ],
    [
      { iosKeyRestrictions: { allowedBundleIds: ['x'.repeat(513)] } },
      `${root}.iosKeyRestrictions.allowedBundleIds[0]`,
    ],
    [
      { iosKeyRestrictions: { allowedBundleIds: many(1201, 'a') } },
      `${root}.iosKeyRestrictions.allowedBundleIds`,
    ],
    [{ apiTargets: {} }, `${root}.apiTargets`],
    [{ apiTargets: many(1201, { service: 'a' }) }, `${root}.apiTargets`],
    [{ apiTargets: [{ service: 'a' }, 'x'] }, `${root}.apiTargets[1]`],
    [{ apiTargets: [{ service: 'a', method: [] }] }, `${root}.apiTargets[0]`],
    [{ apiTargets: [{ methods: ['GET*'] }] }, `${root}.apiTargets[0].service`],
    [{ apiTargets: [{ service: ' ' }] }, `${root}.apiTargets[0].service`],
    [{ apiTargets: [{ service: 'a', methods: 'GET*' }] }, `${root}.apiTargets[0].methods`],
    [{ apiTargets: [{ service: 'a', methods: many(1201, 'm') }] }, `${root}.apiTargets[0].methods`],
    [{ apiTargets: [{ service: 'a', methods: ['ok', ''] }] }, `${root}.apiTargets[0].methods[1]`],
    [{ apiTargets: [{ service: 'a', methods: ['ok', '*Content'] }] }, `${root}.apiTargets[0].methods[1]`],
    [{ apiTargets: [{ service: 'a', methods: ['Gen*Content'] }] }, `${root}.apiTargets[0].methods[0]`],
    [{ apiTargets: [{ service: 'a', methods: ['Gen**'] }] }, `${root}.apiTargets[0].methods[0]`],
  ])('refuses %j, naming the field', (input, field) => {
    const error = refusal(() => parseRestrictions(input))
    expect(error?.reason).toBe('FIELD_INVALID')
    expect(error?.message.startsWith(`Invalid value at '${field}': `)).toBe(true)
    expect(error?.furtherDetails).toEqual([
      {
        '@type': 'type.googleapis.com/google.rpc.BadRequest',
        fieldViolations: [{ field, description: error?.message.split("': ")[1] }],
      },
    ])
  })

  it.each([
    'x',
    `${SHA1}0`,
    SHA1.slice(1),
    `${COLONS}:00`,
    `:${COLONS}`,
    COLONS.slice(3),
    COLONS.replace(':', ''),
    `${SHA1.slice(1)}G`,
    `${COLONS}x`,
    `x${SHA1}`,
  ])('refuses the fingerprint %s', sha1Fingerprint => {
    const input = { androidKeyRestrictions: { allowedApplications: [{ sha1Fingerprint, packageName: 'a' }] } }
    expect(refusal(() => parseRestrictions(input))?.message).toContain(
      'allowedApplications[0].sha1Fingerprint',
    )
  })

  it.each([
    [{ apiTargets: [], api_targets: [] }, 'key.restrictions.apiTargets'],
    [
      { browser_key_restrictions: null, browserKeyRestrictions: {} },
      'key.restrictions.browserKeyRestrictions',
    ],
    [
      { serverKeyRestrictions: { allowedIps: [], allowed_ips: [] } },
      'key.restrictions.serverKeyRestrictions.allowedIps',
    ],
  ])('refuses two spellings of a field: %j', (input, field) => {
    const description = 'is given in two spellings; send one of them.'
    const error = refusal(() => parseRestrictions(input))
    expect(error?.reason).toBe('FIELD_AMBIGUOUS')
    expect(error?.message).toBe(`Ambiguous value at '${field}': ${description}`)
    expect(error?.furtherDetails[0]?.['fieldViolations']).toEqual([{ field, description }])
  })

  it.each([
    [
      7,
      "Invalid value at 'key.restrictions': must be an object with the fields browserKeyRestrictions, serverKeyRestrictions, androidKeyRestrictions, iosKeyRestrictions, apiTargets.",
    ],
    [
      { x: 1 },
      "Invalid value at 'key.restrictions': has an unknown field; known are browserKeyRestrictions, serverKeyRestrictions, androidKeyRestrictions, iosKeyRestrictions, apiTargets.",
    ],
    [
      { iosKeyRestrictions: {}, browserKeyRestrictions: {} },
      "Invalid value at 'key.restrictions': may restrict one kind of client, but has browserKeyRestrictions and iosKeyRestrictions; send one of them.",
    ],
    [{ apiTargets: 1 }, "Invalid value at 'key.restrictions.apiTargets': must be a list."],
    [
      { apiTargets: many(1201, 1) },
      "Invalid value at 'key.restrictions.apiTargets': must have at most 1200 entries.",
    ],
    [
      { apiTargets: [{ service: '' }] },
      "Invalid value at 'key.restrictions.apiTargets[0].service': must be a string of 1 to 512 characters.",
    ],
    [
      { browserKeyRestrictions: { allowedReferrers: [''] } },
      "Invalid value at 'key.restrictions.browserKeyRestrictions.allowedReferrers[0]': must be a string of 1 to 2048 characters.",
    ],
    [
      { apiTargets: [{ service: 's', methods: ['**'] }] },
      "Invalid value at 'key.restrictions.apiTargets[0].methods[0]': may have * as its last symbol only.",
    ],
    [
      { serverKeyRestrictions: { allowedIps: ['x'] } },
      "Invalid value at 'key.restrictions.serverKeyRestrictions.allowedIps[0]': must be an IPv4 or IPv6 address or a CIDR range, for example 203.0.113.7, 198.51.100.0/24 or 2001:db8::/32.",
    ],
    [
      { androidKeyRestrictions: { allowedApplications: [{ sha1Fingerprint: 'x' }] } },
      "Invalid value at 'key.restrictions.androidKeyRestrictions.allowedApplications[0].sha1Fingerprint': must be a SHA-1 fingerprint: 40 hexadecimal digits, with colons between bytes or without.",
    ],
  ])('says what would be valid instead of %j', (input, message) => {
    expect(refusal(() => parseRestrictions(input))?.message).toBe(message)
  })

  it('takes lists and texts up to their bounds', () => {
    expect(RESTRICTION_ENTRIES_MAX).toBe(1200)
    const referrers = many(1200, 'x'.repeat(2048))
    expect(parseRestrictions({ browserKeyRestrictions: { allowedReferrers: referrers } })).toEqual({
      browserKeyRestrictions: { allowedReferrers: referrers },
    })
    const apiTargets = [{ service: 'x'.repeat(512), methods: many(1200, 'm') }]
    expect(parseRestrictions({ apiTargets })).toEqual({ apiTargets })
  })

  it('names fields under the field it is given, and repeats no value', () => {
    const error = refusal(() =>
      parseRestrictions({ serverKeyRestrictions: { allowedIps: ['plx_secret'] } }, 'r'),
    )
    expect(error?.message).toContain("'r.serverKeyRestrictions.allowedIps[0]'")
    expect(JSON.stringify(error && statusBody(error))).not.toContain('secret')
  })

  it('reads back what it returns', () => {
    const text = fc.string({ minLength: 1, maxLength: 5 }).filter(value => value.trim() !== '')
    const method = text.filter(value => !value.includes('*'))
    const input = fc.record(
      {
        iosKeyRestrictions: fc.record({ allowedBundleIds: fc.array(text) }, { requiredKeys: [] }),
        apiTargets: fc.array(
          fc.record({ service: text, methods: fc.array(method) }, { requiredKeys: ['service'] }),
        ),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(input, value => {
        const restrictions = parseRestrictions(value)
        expect(parseRestrictions(restrictions)).toEqual(restrictions)
      }),
    )
  })
})
