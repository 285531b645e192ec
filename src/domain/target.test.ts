import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileTargets, type MethodName } from './target.ts'

const SERVICE = 'generativelanguage.googleapis.com'
const method = (
  rpc: string,
  { version = 'v1beta', group = 'GenerativeService', httpMethod = 'POST' } = {},
): MethodName => ({
  service: SERVICE,
  fullName: `google.ai.generativelanguage.${version}.${group}.${rpc}`,
  httpMethod,
})

const generate = method('GenerateContent')
const generateV1 = method('GenerateContent', { version: 'v1' })
const stream = method('StreamGenerateContent')
const count = method('CountTokens')
const getModel = method('GetModel', { group: 'ModelService', httpMethod: 'GET' })
const listModels = method('ListModels', { group: 'ModelService', httpMethod: 'GET' })
const deleteFile = method('DeleteFile', { group: 'FileService', httpMethod: 'DELETE' })
const cancelByDelete = method('CancelThing', { httpMethod: 'DELETE' })
const update = method('UpdateThing', { httpMethod: 'PATCH' })
const put = method('ReplaceThing', { httpMethod: 'PUT' })
const head = method('ProbeThing', { httpMethod: 'HEAD' })
const all = {
  generate,
  generateV1,
  stream,
  count,
  getModel,
  listModels,
  deleteFile,
  cancelByDelete,
  update,
  put,
  head,
}
const everything = Object.keys(all)

function allowedBy(...methods: string[]): string[] {
  const allows = compileTargets([{ service: SERVICE, methods }])
  return Object.entries(all)
    .filter(([, name]) => allows(name))
    .map(([key]) => key)
}

describe('methods of a target', () => {
  it.each([
    // A full name holds one method in one version.
    ['google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent', ['generate']],
    ['google.ai.generativelanguage.v1.GenerativeService.GenerateContent', ['generateV1']],
    ['GOOGLE.AI.generativelanguage.V1BETA.generativeservice.GENERATECONTENT', ['generate']],
    ['google.ai.generativelanguage.v1alpha.GenerativeService.GenerateContent', []],
    // A full name with * holds what begins so.
    ['google.ai.generativelanguage.v1.*', ['generateV1']],
    ['google.ai.generativelanguage.v1beta.ModelService.*', ['getModel', 'listModels']],
    ['google.ai.generativelanguage.v1beta.GenerativeService.Stream*', ['stream']],
    ['google.ai.generativelanguage.v1*', everything],
    ['google.ai.*', everything],
    ['google.cloud.*', []],
    // A bare name holds every version.
    ['GenerateContent', ['generate', 'generateV1']],
    ['generatecontent', ['generate', 'generateV1']],
    ['Content', []],
    ['GenerateConten', []],
    ['GenerativeService.GenerateContent', []],
    // A prefix is one of the bare name, never of the package or the service.
    ['Generate*', ['generate', 'generateV1']],
    ['GENERATE*', ['generate', 'generateV1']],
    ['GenerateContent*', ['generate', 'generateV1']],
    ['Gen*', ['generate', 'generateV1']],
    ['google*', []],
    ['generativelanguage*', []],
    ['S*', ['stream']],
    ['*', everything],
    // The service in front.
    [`${SERVICE}.Generate*`, ['generate', 'generateV1']],
    ['GenerativeLanguage.GoogleAPIs.com.generate*', ['generate', 'generateV1']],
    [`${SERVICE}.GenerateContent`, ['generate', 'generateV1']],
    [`${SERVICE}.*`, everything],
    [`${SERVICE}.POST*`, ['generate', 'generateV1', 'stream', 'count']],
    [`${SERVICE}.google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent`, []],
    [`${SERVICE}*`, []],
    ['generativelanguage.googleapis*', []],
    ['translate.googleapis.com.Generate*', []],
    // HTTP verbs.
    ['GET*', ['getModel', 'listModels']],
    ['Get*', ['getModel']],
    ['get*', ['getModel']],
    ['DELETE*', ['deleteFile', 'cancelByDelete']],
    ['Delete*', ['deleteFile']],
    ['POST*', ['generate', 'generateV1', 'stream', 'count']],
    ['post*', ['generate', 'generateV1', 'stream', 'count']],
    ['Patch*', ['update']],
    ['PUT*', ['put']],
    ['HEAD*', ['head']],
    ['GET', []],
    ['POST', []],
    ['POSTS', []],
    ['POS*', []],
    ['POST.*', []],
    ['OPTIONS*', []],
    // * anywhere else matches nothing.
    ['*Content', []],
    ['Gen*Content', []],
    ['**', []],
    ['Gen**', []],
    ['google.*.generativelanguage.*', []],
    ['', []],
  ])('%s allows %j', (pattern, expected) => {
    expect(allowedBy(pattern)).toEqual(expected)
  })

  it('each add what they allow', () => {
    expect(allowedBy('CountTokens', '*Content', 'Get*')).toEqual(['count', 'getModel'])
  })
})

describe('compileTargets', () => {
  it('allows every method without targets', () => {
    expect(compileTargets([])({ service: 'any.example', fullName: 'a.b', httpMethod: 'GET' })).toBe(true)
  })

  it.each([[undefined], [[]]])('allows every method of the service where methods is %j', methods => {
    const target = methods === undefined ? { service: SERVICE } : { service: SERVICE, methods }
    expect(compileTargets([target])(generate)).toBe(true)
    expect(compileTargets([target])({ ...generate, service: 'translate.googleapis.com' })).toBe(false)
  })

  it('compares services without regard to case, and as a whole', () => {
    expect(compileTargets([{ service: SERVICE.toUpperCase() }])(generate)).toBe(true)
    expect(compileTargets([{ service: SERVICE }])({ ...generate, service: SERVICE.toUpperCase() })).toBe(true)
    expect(compileTargets([{ service: 'generativelanguage*' }])(generate)).toBe(false)
    expect(compileTargets([{ service: '*' }])(generate)).toBe(false)
    expect(compileTargets([{ service: `x${SERVICE}` }])(generate)).toBe(false)
  })

  it('allows what any target allows, the same service named twice included', () => {
    const allows = compileTargets([
      { service: SERVICE, methods: ['CountTokens'] },
      { service: 'translate.googleapis.com' },
      { service: SERVICE.toUpperCase(), methods: ['GenerateContent'] },
    ])
    expect([generate, count, stream, getModel].map(allows)).toEqual([true, true, false, false])
    expect(allows({ ...stream, service: 'translate.googleapis.com' })).toBe(true)
  })

  it('applies methods to their own service only', () => {
    const allows = compileTargets([
      { service: SERVICE, methods: ['CountTokens'] },
      { service: 'translate.googleapis.com', methods: ['GenerateContent'] },
    ])
    expect(allows(generate)).toBe(false)
  })

  it('ignores the case of the method called', () => {
    const allows = compileTargets([{ service: SERVICE, methods: ['POST*'] }])
    expect(allows({ ...generate, httpMethod: 'post' })).toBe(true)
    expect(
      compileTargets([{ service: SERVICE, methods: ['count*'] }])({ ...count, fullName: 'A.COUNTTOKENS' }),
    ).toBe(true)
  })

  it('agrees with a plain reading of bare names and prefixes', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'B', 'b', 'C'), minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(letters, letters, fc.boolean(), (rpc, stem, isPrefix) => {
        const allows = compileTargets([{ service: SERVICE, methods: [isPrefix ? `${stem}*` : stem] }])
        const [name, wanted] = [rpc.toLowerCase(), stem.toLowerCase()]
        expect(allows(method(rpc))).toBe(isPrefix ? name.startsWith(wanted) : name === wanted)
      }),
    )
  })
})
