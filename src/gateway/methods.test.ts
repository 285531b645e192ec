import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isModelId } from '../domain/model.ts'
import { isDataPlanePath, routeOf } from './methods.ts'

describe('routeOf', () => {
  it.each([
    ['GET', '/v1beta/models', 'ListModels', ''],
    ['GET', '/v1/models/gemini-3.8-flash', 'GetModel', 'gemini-3.8-flash'],
    ['POST', '/v1beta/models/m:generateContent', 'GenerateContent', 'm'],
    ['POST', '/v1alpha/models/m:streamGenerateContent', 'StreamGenerateContent', 'm'],
    ['POST', '/v1beta/models/m:countTokens', 'CountTokens', 'm'],
    ['POST', '/v1beta/models/m:embedContent', 'EmbedContent', 'm'],
    ['POST', '/v1beta/models/m:batchEmbedContents', 'BatchEmbedContents', 'm'],
  ])('%s %s is %s', (httpMethod, path, name, model) => {
    const route = routeOf(httpMethod, path)
    expect(route.method.name).toBe(name)
    expect(route.model).toBe(model)
    expect(path.startsWith(`/${route.apiVersion}/`)).toBe(true)
  })

  it.each([
    ['another verb', 'GET', '/v1beta/models/m:generateContent'],
    ['HEAD', 'HEAD', '/v1beta/models'],
    ['DELETE', 'DELETE', '/v1beta/models/m'],
    ['a verb in lower case', 'post', '/v1beta/models/m:generateContent'],
    ['a method in another case', 'POST', '/v1beta/models/m:GenerateContent'],
    ['a method that is not in the table', 'POST', '/v1beta/models/m:predict'],
    ['a property of objects', 'POST', '/v1beta/models/m:constructor'],
    ['a long-running method', 'POST', '/v1beta/models/m:predictLongRunning'],
    ['a batch', 'POST', '/v1beta/models/m:batchGenerateContent'],
    ['no method', 'POST', '/v1beta/models/m:'],
    ['two methods', 'POST', '/v1beta/models/m:generateContent:countTokens'],
    ['a slash behind', 'POST', '/v1beta/models/m:generateContent/'],
    ['a slash behind the list', 'GET', '/v1beta/models/'],
    ['a line break behind', 'GET', '/v1beta/models\n'],
    ['another version', 'GET', '/v2/models'],
    ['a version in another case', 'GET', '/V1beta/models'],
    ['tuned models', 'POST', '/v1beta/tunedModels/m:generateContent'],
    ['a model that is two segments', 'POST', '/v1beta/models/a/b:generateContent'],
    ['a model that climbs', 'POST', '/v1beta/models/..:generateContent'],
    ['a model with an escape', 'POST', '/v1beta/models/a%2f:generateContent'],
    ['a model with a parameter', 'POST', '/v1beta/models/a;b:generateContent'],
    ['files', 'GET', '/v1beta/files'],
    ['OpenAI', 'POST', '/v1beta/openai/chat/completions'],
    ['the prefix of another', 'GET', '/v1beta/modelsx'],
  ])('refuses %s', (_, httpMethod, path) => {
    expect(() => routeOf(httpMethod, path)).toThrow(expect.objectContaining({ reason: 'METHOD_UNKNOWN' }))
  })

  it('lets no model through that is none, whatever the path', () => {
    const segment = fc.string({
      unit: fc.constantFrom('a', '1', '.', '-', ':', '/', '%', '2', 'f', ';', '\n', 'é'),
    })
    fc.assert(
      fc.property(segment, fc.constantFrom('', ':generateContent'), (model, verb) => {
        let route
        try {
          route = routeOf(verb === '' ? 'GET' : 'POST', `/v1beta/models/${model}${verb}`)
        } catch {
          return
        }
        expect(isModelId(route.model)).toBe(true)
        expect(route.model).toBe(model)
      }),
    )
  })
})

describe('isDataPlanePath', () => {
  it.each([
    '/v1/models',
    '/v1',
    '/v1beta/x',
    '/v1alpha/',
    '/upload/v1beta/files',
    '/download/x',
    '/ws/x',
    '/v1/operations/x',
  ])('holds %s', path => expect(isDataPlanePath(path)).toBe(true))
  it.each([
    '/',
    '/v2/keys',
    '/v3/projects',
    '/v1x/models',
    '/healthz',
    '/pollux/v1/usage',
    '/v1/operations/akmf.p.1',
    '/v1/operations/cp.1',
    '/uploads',
  ])('holds not %s', path => expect(isDataPlanePath(path)).toBe(false))
})
