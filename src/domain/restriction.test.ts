import { describe, expect, it } from 'vitest'
import { ApiError, statusBody } from './error.ts'
import type { AllowedTool, Restrictions } from './key.ts'
import {
  checkClient,
  checkMethod,
  checkModel,
  checkTools,
  compileRestrictions,
  explain,
  type ClientFacts,
} from './restriction.ts'
import type { MethodName } from './target.ts'
import { toolsUsed, type UsedTool } from './tool.ts'

const CONSUMER = 'projects/123456789012'
const SERVICE = 'generativelanguage.googleapis.com'
const SHA1 = 'DA39A3EE5E6B4B0D3255BFEF95601890AFD80709'
const COLONS = 'da:39:a3:ee:5e:6b:4b:0d:32:55:bf:ef:95:60:18:90:af:d8:07:09'
const STREAM: MethodName = {
  service: SERVICE,
  fullName: 'google.ai.generativelanguage.v1beta.GenerativeService.StreamGenerateContent',
  httpMethod: 'POST',
}

function compiled(
  restrictions: Restrictions | null,
  models: readonly string[] | null = null,
  tools: readonly AllowedTool[] | null = null,
) {
  return compileRestrictions(restrictions, { models, tools })
}

function refusal(action: () => unknown): ApiError | null {
  try {
    action()
    return null
  } catch (error) {
    if (error instanceof ApiError) return error
    throw error
  }
}

const body = (action: () => unknown) => {
  const error = refusal(action)
  return error && statusBody(error).error
}

const info = (reason: string, domain: string, metadata: object) => ({
  '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
  reason,
  domain,
  metadata,
})

const localized = (message: string) => ({
  '@type': 'type.googleapis.com/google.rpc.LocalizedMessage',
  locale: 'en-US',
  message,
})

/** The error's JSON body, which must be Google's to the letter where Google has one (gemini-wire 3.2). */
function expectRefusal(action: () => unknown, expected: { message: string; details: readonly object[] }) {
  expect(body(action)).toEqual({ code: 403, status: 'PERMISSION_DENIED', ...expected })
}

describe('a referrer restriction', () => {
  const rules = compiled({
    browserKeyRestrictions: {
      allowedReferrers: ['*.example.com/*', 'https://app.example', 'a.example/page', '.*'],
    },
  })
  const check = (facts: Partial<ClientFacts>) => () =>
    checkClient(rules, { address: '192.0.2.1', ...facts }, CONSUMER)

  it.each([
    [{ referer: 'https://www.example.com/x?y' }],
    [{ referer: 'https://app.example' }],
    [{ origin: 'https://app.example' }],
    [{ referer: '', origin: 'https://app.example' }],
    [{ referer: 'https://a.example/page', origin: 'https://evil.example' }],
  ])('lets %j pass', facts => {
    expect(check(facts)).not.toThrow()
  })

  it.each([
    [{}, '<empty>'],
    [{ referer: '', origin: '' }, '<empty>'],
    [{ referer: 'https://x/' }, 'https://x/'],
    [{ referer: 'https://evil.example/', origin: 'https://app.example' }, 'https://evil.example/'],
    [{ origin: 'https://evil.example' }, 'https://evil.example'],
    [{ origin: 'null' }, 'null'],
    [{ referer: 'garbage', origin: 'https://app.example' }, 'garbage'],
    [{ referer: 'https://good.com@app.example' }, 'https://good.com@app.example'],
    [{ referer: 'https://x/p?key=plx_1#plx_2' }, 'https://x/p'],
    [{ referer: 'https://x/p#plx_2?plx_1\nplx_3' }, 'https://x/p'],
    [{ referer: '?plx_1' }, '<empty>'],
    [{ referer: `https://x/${'y'.repeat(3000)}` }, `https://x/${'y'.repeat(2038)}`],
    [{ androidPackage: 'com.example', iosBundleId: 'com.example' }, '<empty>'],
  ])('refuses %j as %s', (facts, httpReferrer) => {
    const message = `Requests from referer ${httpReferrer} are blocked.`
    expectRefusal(check(facts), {
      message,
      details: [
        info('API_KEY_HTTP_REFERRER_BLOCKED', 'googleapis.com', {
          consumer: CONSUMER,
          service: SERVICE,
          httpReferrer,
        }),
        localized(message),
      ],
    })
  })
})

describe('an IP restriction', () => {
  const rules = compiled({
    serverKeyRestrictions: { allowedIps: ['203.0.113.0/24', '2001:db8::1', '127.0.0.1'] },
  })
  const check = (address: string) => () => checkClient(rules, { address }, CONSUMER)

  it.each(['203.0.113.200', '::ffff:203.0.113.1', '2001:DB8:0::1', '127.0.0.1', '::ffff:7f00:1'])(
    'lets %s pass',
    address => {
      expect(check(address)).not.toThrow()
    },
  )

  it.each([
    ['203.0.114.5', '203.0.114.5'],
    ['::ffff:198.51.100.1', '198.51.100.1'],
    ['2001:DB8:0::2', '2001:db8::2'],
    ['fe80::1%eth0', 'fe80::1'],
    ['', '<empty>'],
    ['unknown', 'unknown'],
    ['0203.0.113.5', '0203.0.113.5'],
    ['203.0.113.5:443', '203.0.113.5:443'],
  ])('refuses %j as %s', (address, callerIp) => {
    expectRefusal(check(address), {
      message: `The provided API key has an IP address restriction. The originating IP address of the call (${callerIp}) violates this restriction.`,
      details: [
        info('API_KEY_IP_ADDRESS_BLOCKED', 'googleapis.com', {
          consumer: CONSUMER,
          service: SERVICE,
          callerIp,
        }),
      ],
    })
  })

  it('refuses a client whose address is missing altogether', () => {
    const client = JSON.parse('{"address":""}') as ClientFacts
    expect(refusal(() => checkClient(rules, client, CONSUMER))?.reason).toBe('API_KEY_IP_ADDRESS_BLOCKED')
  })
})

describe('an Android restriction', () => {
  const rules = compiled({
    androidKeyRestrictions: {
      allowedApplications: [
        { sha1Fingerprint: SHA1, packageName: 'com.example' },
        { sha1Fingerprint: '0'.repeat(40), packageName: 'com.other' },
      ],
    },
  })
  const check = (facts: Partial<ClientFacts>) => () =>
    checkClient(rules, { address: '192.0.2.1', ...facts }, CONSUMER)

  it.each([SHA1, SHA1.toLowerCase(), COLONS, COLONS.toUpperCase()])(
    'takes the fingerprint %s',
    androidCert => {
      expect(check({ androidPackage: 'com.example', androidCert })).not.toThrow()
    },
  )

  it.each([
    [{}, '<empty>'],
    [{ androidCert: SHA1 }, '<empty>'],
    [{ androidPackage: '', androidCert: SHA1 }, '<empty>'],
    [{ androidPackage: 'com.example' }, 'com.example'],
    [{ androidPackage: 'com.example', androidCert: '' }, 'com.example'],
    [{ androidPackage: 'com.example', androidCert: '0'.repeat(40) }, 'com.example'],
    [{ androidPackage: 'com.other', androidCert: SHA1 }, 'com.other'],
    [{ androidPackage: 'COM.example', androidCert: SHA1 }, 'COM.example'],
    [{ androidPackage: 'com.exampl', androidCert: SHA1 }, 'com.exampl'],
  ])('refuses %j as %s', (facts, androidPackage) => {
    const message = `Requests from this Android client application ${androidPackage} are blocked.`
    expectRefusal(check(facts), {
      message,
      details: [
        info('API_KEY_ANDROID_APP_BLOCKED', 'googleapis.com', {
          consumer: CONSUMER,
          service: SERVICE,
          androidPackage,
        }),
        localized(message),
      ],
    })
  })
})

describe('an iOS restriction', () => {
  const rules = compiled({ iosKeyRestrictions: { allowedBundleIds: ['com.example.App', 'com.example.Two'] } })
  const check = (facts: Partial<ClientFacts>) => () =>
    checkClient(rules, { address: '192.0.2.1', ...facts }, CONSUMER)

  it.each(['com.example.App', 'com.example.Two'])('lets %s pass', iosBundleId => {
    expect(check({ iosBundleId })).not.toThrow()
  })

  it.each([
    [{}, '<empty>'],
    [{ iosBundleId: '' }, '<empty>'],
    [{ iosBundleId: 'com.example.app' }, 'com.example.app'],
    [{ iosBundleId: 'com.example' }, 'com.example'],
  ])('refuses %j as %s', (facts, iosBundleId) => {
    const message = `Requests from this iOS client application ${iosBundleId} are blocked.`
    expectRefusal(check(facts), {
      message,
      details: [
        info('API_KEY_IOS_APP_BLOCKED', 'googleapis.com', {
          consumer: CONSUMER,
          service: SERVICE,
          iosBundleId,
        }),
        localized(message),
      ],
    })
  })
})

it.each<[Restrictions | null]>([
  [null],
  [{}],
  [{ browserKeyRestrictions: { allowedReferrers: [] } }],
  [{ serverKeyRestrictions: { allowedIps: [] } }],
  [{ androidKeyRestrictions: { allowedApplications: [] } }],
  [{ iosKeyRestrictions: { allowedBundleIds: [] } }],
  [{ apiTargets: [{ service: SERVICE }] }],
])('%j restricts no client', restrictions => {
  const rules = compiled(restrictions)
  expect(rules.client).toBeNull()
  expect(() => checkClient(rules, { address: '' }, CONSUMER)).not.toThrow()
})

it.each<[Restrictions]>([
  [{ browserKeyRestrictions: { allowedReferrers: ['a.example'] } }],
  [{ serverKeyRestrictions: { allowedIps: ['192.0.2.1'] } }],
  [{ androidKeyRestrictions: { allowedApplications: [{ sha1Fingerprint: SHA1, packageName: 'a' }] } }],
  [{ iosKeyRestrictions: { allowedBundleIds: ['a'] } }],
])('%j, a single entry, refuses everybody else', restrictions => {
  expect(() => checkClient(compiled(restrictions), { address: '192.0.2.2' }, CONSUMER)).toThrow(
    /blocked|violates/,
  )
})

describe('API targets', () => {
  it('refuse a method that none of them allows', () => {
    const rules = compiled({ apiTargets: [{ service: SERVICE, methods: ['GenerateContent'] }] })
    const message =
      'Requests to this API generativelanguage.googleapis.com method google.ai.generativelanguage.v1beta.GenerativeService.StreamGenerateContent are blocked.'
    expectRefusal(() => checkMethod(rules, STREAM, CONSUMER), {
      message,
      details: [
        info('API_KEY_SERVICE_BLOCKED', 'googleapis.com', {
          consumer: CONSUMER,
          service: SERVICE,
          apiName: SERVICE,
          methodName: STREAM.fullName,
        }),
        localized(message),
      ],
    })
  })

  it.each<[Restrictions | null]>([
    [null],
    [{}],
    [{ apiTargets: [] }],
    [{ apiTargets: [{ service: SERVICE }] }],
    [{ apiTargets: [{ service: 'translate.googleapis.com' }, { service: SERVICE, methods: ['stream*'] }] }],
  ])('%j lets the method pass', restrictions => {
    expect(() => checkMethod(compiled(restrictions), STREAM, CONSUMER)).not.toThrow()
  })
})

describe('allowed models', () => {
  it('refuse any other model', () => {
    const rules = compiled(null, ['gemini-3.8-*', 'models/gemini-4-argon'])
    expectRefusal(() => checkModel(rules, 'gemini-3-pro-image', CONSUMER), {
      message:
        "Requests to model gemini-3-pro-image are blocked for this API key. Call a model that the key allows, or add this model to the key's allowedModels.",
      details: [
        info('API_KEY_MODEL_BLOCKED', 'pollux', {
          consumer: CONSUMER,
          service: SERVICE,
          model: 'gemini-3-pro-image',
        }),
      ],
    })
    expect(refusal(() => checkModel(rules, 'x'.repeat(3000), CONSUMER))?.metadata['model']).toHaveLength(2048)
  })

  it.each([
    [null, 'anything', true],
    [['gemini-3.8-*', 'models/gemini-4-argon'], 'gemini-3.8-flash', true],
    [['gemini-3.8-*', 'models/gemini-4-argon'], 'gemini-4-argon', true],
    [[], 'gemini-3.8-flash', false],
  ])('%j let %s pass: %s', (models, modelId, expected) => {
    expect(refusal(() => checkModel(compiled(null, models), modelId, CONSUMER)) === null).toBe(expected)
  })
})

describe('allowed tools', () => {
  const check = (allowed: readonly AllowedTool[] | null, used: readonly UsedTool[]) => () =>
    checkTools(compiled(null, null, allowed), new Set(used), CONSUMER)

  it.each<[readonly AllowedTool[] | null, readonly UsedTool[]]>([
    [null, ['googleSearch', 'other:fileSearch']],
    [[], []],
    [['googleSearch'], []],
    [['googleSearch'], ['googleSearch']],
    [
      ['imageOutput', 'codeExecution'],
      ['codeExecution', 'imageOutput'],
    ],
  ])('%j let %j pass', (allowed, used) => {
    expect(check(allowed, used)).not.toThrow()
  })

  const leave = (tool: string) =>
    `Requests that use ${tool} are blocked for this API key. Leave it out of the request, or add ${tool} to the key's allowedTools.`
  const ask = (tool: string) =>
    `Requests that use ${tool} are blocked for this API key. Ask for other responseModalities, or add ${tool} to the key's allowedTools.`
  const never = (tool: string) =>
    `Requests that use ${tool} are blocked for this API key. Leave it out of the request, or remove the key's allowedTools.`

  it.each<[readonly AllowedTool[], readonly UsedTool[], string, string]>([
    [[], ['googleSearch'], 'googleSearch', leave('googleSearch')],
    [['googleSearch'], ['googleSearch', 'urlContext', 'codeExecution'], 'urlContext', leave('urlContext')],
    [['googleSearch'], ['imageOutput'], 'imageOutput', ask('imageOutput')],
    [['imageOutput'], ['audioOutput'], 'audioOutput', ask('audioOutput')],
    [['googleSearch'], ['other:fileSearch'], 'fileSearch', never('fileSearch')],
    [['googleSearch'], ['other:googleSearch'], 'googleSearch', never('googleSearch')],
    [
      ['imageOutput'],
      ['other:responseModalities=VIDEO'],
      'responseModalities=VIDEO',
      never('responseModalities=VIDEO'),
    ],
  ])('%j refuse %j', (allowed, used, tool, message) => {
    expectRefusal(check(allowed, used), {
      message,
      details: [info('API_KEY_TOOL_BLOCKED', 'pollux', { consumer: CONSUMER, service: SERVICE, tool })],
    })
  })

  it('refuse an OtherTool even where a stored list names it', () => {
    const forged = JSON.parse('["other:fileSearch"]') as AllowedTool[]
    expect(refusal(check(forged, ['other:fileSearch']))?.reason).toBe('API_KEY_TOOL_BLOCKED')
  })

  it('judge what toolsUsed reads from a body', () => {
    const rules = compiled(null, null, ['googleSearch'])
    const judge = (request: unknown) =>
      refusal(() => checkTools(rules, toolsUsed(request, 'gemini-3.8-flash'), CONSUMER))?.metadata['tool'] ??
      null
    expect(judge({ tools: [{ google_search: {} }, { functionDeclarations: [] }] })).toBeNull()
    expect(judge({ tools: { code_execution: {} } })).toBe('codeExecution')
    expect(judge({ generation_config: { response_modalities: 2 } })).toBe('imageOutput')
  })
})

describe('explain', () => {
  const rules = compiled(
    {
      serverKeyRestrictions: { allowedIps: ['127.0.0.1'] },
      apiTargets: [{ service: SERVICE, methods: ['Count*'] }],
    },
    ['gemini-3.8-flash'],
    ['googleSearch'],
  )
  const call = {
    consumer: CONSUMER,
    client: { address: '127.0.0.1' },
    method: { ...STREAM, fullName: 'x.CountTokens' },
    modelId: 'gemini-3.8-flash',
    tools: new Set<UsedTool>(['googleSearch']),
  }
  const outcomes = (facts: Parameters<typeof explain>[1], of = rules) =>
    explain(of, facts).map(verdict => `${verdict.rule} ${verdict.outcome}`)

  it('answers for client, method, model and tools, in this order', () => {
    expect(explain(rules, call)).toEqual(
      ['client', 'method', 'model', 'tools'].map(rule => ({ rule, outcome: 'ALLOWED' })),
    )
  })

  it('gives the reason and message of the very error that the check throws', () => {
    const refused = {
      consumer: CONSUMER,
      client: { address: '127.0.0.2' },
      method: STREAM,
      modelId: 'gemini-4-argon',
      tools: new Set<UsedTool>(['other:fileSearch']),
    }
    const thrown = [
      refusal(() => checkClient(rules, refused.client, CONSUMER)),
      refusal(() => checkMethod(rules, refused.method, CONSUMER)),
      refusal(() => checkModel(rules, refused.modelId, CONSUMER)),
      refusal(() => checkTools(rules, refused.tools, CONSUMER)),
    ]
    expect(explain(rules, refused)).toEqual(
      ['client', 'method', 'model', 'tools'].map((rule, index) => ({
        rule,
        outcome: 'REFUSED',
        reason: thrown[index]?.reason,
        message: thrown[index]?.message,
      })),
    )
    expect(thrown.map(error => error?.reason)).toEqual([
      'API_KEY_IP_ADDRESS_BLOCKED',
      'API_KEY_SERVICE_BLOCKED',
      'API_KEY_MODEL_BLOCKED',
      'API_KEY_TOOL_BLOCKED',
    ])
  })

  it('goes on after a refusal', () => {
    expect(outcomes({ ...call, method: STREAM })).toEqual([
      'client ALLOWED',
      'method REFUSED',
      'model ALLOWED',
      'tools ALLOWED',
    ])
  })

  it('judges neither a fact that is absent nor a rule that the key lacks', () => {
    const none = ['client', 'method', 'model', 'tools'].map(rule => `${rule} NOT_APPLICABLE`)
    expect(outcomes({ consumer: CONSUMER })).toEqual(none)
    expect(outcomes(call, compiled(null))).toEqual(none)
    expect(outcomes({ ...call, tools: new Set() })[3]).toBe('tools ALLOWED')
    expect(outcomes({ ...call, modelId: '' })[2]).toBe('model REFUSED')
  })
})
