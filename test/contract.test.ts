import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  type Endpoint,
  declaredErrors,
  fastifyPaths,
  matchesTemplate,
  paramNames,
} from '../src/contract/endpoint.ts'
import { openApiDocument } from '../src/contract/openapi.ts'
import { ENDPOINTS, isManagementPath } from '../src/contract/table.ts'
import { ApiError } from '../src/domain/error.ts'

/** What asks, or begins what another endpoint ends, and leaves nothing behind. */
const READING_POSTS = new Set([
  'pollux.v1.keys.test',
  'pollux.v1.keys.lookup',
  'pollux.v1.ledger.verify',
  'resourcemanager.v3.projects.getIamPolicy',
  'resourcemanager.v3.projects.testIamPermissions',
  'pollux.v1.organizations.getIamPolicy',
  'pollux.v1.organizations.testIamPermissions',
  'pollux.v1.auditEntries.find',
  'pollux.v1.audit.verify',
  // Signs what is there.
  'pollux.v1.audit.checkpoint',
  'pollux.v1.links.inspect',
  'pollux.v1.links.startPasskey',
  'pollux.v1.signIn.startPasskey',
  'pollux.v1.signIn.startOidc',
  'pollux.v1.session.startPasskey',
  'pollux.v1.passkeys.start',
])
/** They change nothing, but what they answer is worth knowing of. */
const REVEALS = new Set(['apikeys.v2.keys.getKeyString', 'pollux.v1.calls.getBodies'])

/** Taking access away from oneself or others is never slowed down. */
const DELETES_WITHOUT_STEP_UP = new Set(['pollux.v1.sessions.end'])

describe('the contract table', () => {
  it('asks for exactly the permissions of test/permissions.txt', () => {
    const lines = ENDPOINTS.map(
      ({ permission, method, path }) => `${permission.padEnd(34)} ${method.padEnd(6)} ${path}`,
    )
    const golden = readFileSync(new URL('permissions.txt', import.meta.url), 'utf8')
    expect(`${lines.sort().join('\n')}\n`).toBe(golden)
  })

  it('has an audit method for every endpoint that changes or reveals something, and for no other', () => {
    for (const { id, method, audit } of ENDPOINTS) {
      expect([id, audit !== null]).toEqual([
        id,
        REVEALS.has(id) || (method !== 'GET' && !READING_POSTS.has(id)),
      ])
    }
  })

  it('asks people for a fresh proof before every reveal, deletion and change of a cap', () => {
    for (const { id, method, permission, path, stepUp } of ENDPOINTS) {
      const isDangerous =
        (method === 'DELETE' && !DELETES_WITHOUT_STEP_UP.has(id)) ||
        permission === 'apikeys.keys.getKeyString' ||
        permission === 'pollux.calls.getBodies' ||
        permission.endsWith('.setIamPolicy') ||
        (permission === 'pollux.budgets.update' && path.includes('/budgets/'))
      if (isDangerous) expect([id, stepUp]).toEqual([id, true])
    }
  })

  it('lets strangers do nothing but sign in', () => {
    const open = ENDPOINTS.filter(({ permission }) => permission === 'anyone').map(({ path }) => path)
    expect(open.filter(path => !/^\/pollux\/v1\/(?:signIn|links)(?::|$)/.test(path))).toEqual([])
  })

  it('has unique ids, routes and audit methods', () => {
    const unique = (values: readonly (string | null)[]) => expect(new Set(values).size).toBe(values.length)
    unique(ENDPOINTS.map(({ id }) => id))
    unique(ENDPOINTS.map(({ method, path }) => `${method} ${path}`))
    unique(ENDPOINTS.map(({ audit }) => audit).filter(audit => audit !== null))
  })

  it('lies within the paths that belong to the management plane', () => {
    for (const { path } of ENDPOINTS) {
      expect(isManagementPath(path.replace('/v1/operations/{operation}', '/v1/operations/cp.1'))).toBe(true)
    }
    for (const path of [
      '/v1/models',
      '/v1/operations/abc',
      '/v1beta/models/x:generateContent',
      '/v22',
      '/metrics2',
    ]) {
      expect(isManagementPath(path)).toBe(false)
    }
  })
})

describe('a path template', () => {
  it.each([
    [
      '/v3/projects/{project}:undelete',
      ['/v3/projects/:project(^[^:/]+)::undelete', '/v3/projects/:project(^[^:/]+)/::undelete'],
    ],
    ['/v3/projects:search', ['/v3/projects::search']],
    ['/v2/operations/{operation}', ['/v2/operations/:operation(^[^:/]+)']],
  ])('%s becomes its Fastify routes', (template, routes) => {
    expect(fastifyPaths(template)).toEqual(routes)
  })

  it('matches one segment per parameter and its verb exactly', () => {
    expect(matchesTemplate('/v3/projects/{project}:undelete', '/v3/projects/a-b:undelete')).toBe(true)
    expect(matchesTemplate('/v3/projects/{project}:undelete', '/v3/projects/a-b:move')).toBe(false)
    expect(matchesTemplate('/v3/projects/{project}', '/v3/projects/a/b')).toBe(false)
    expect(matchesTemplate('/v3/projects/{project}', '/v3/projects/a:undelete')).toBe(false)
  })
})

describe('the OpenAPI document', () => {
  const document = JSON.parse(JSON.stringify(openApiDocument(ENDPOINTS, '1')))

  const operationOf = ({ path, method }: Endpoint) => document.paths[path][method.toLowerCase()]

  it('describes every endpoint with its permission, parameters and error statuses', () => {
    for (const endpoint of ENDPOINTS) {
      const operation = operationOf(endpoint)
      expect(operation.operationId).toBe(endpoint.id)
      expect(operation['x-pollux-permission']).toBe(endpoint.permission)
      const declared = operation.parameters as { name: string; in: string; required: boolean }[]
      const inPath = declared.filter(parameter => parameter.in === 'path')
      expect(inPath.map(({ name }) => name)).toEqual(paramNames(endpoint.path))
      expect(inPath.every(({ required }) => required)).toBe(true)
      for (const reason of declaredErrors(endpoint)) {
        expect(operation.responses[new ApiError(reason, '').httpStatus].description).toContain(reason)
      }
      expect('requestBody' in operation).toBe(endpoint.body !== null)
    }
  })

  it('has no reference that leads nowhere, and no component that nothing leads to', () => {
    const references = new Set<string>()
    const visit = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return
      for (const [name, inner] of Object.entries(value)) {
        if (name === '$ref') references.add(String(inner))
        else visit(inner)
      }
    }
    visit(document)
    const components = Object.keys(document.components.schemas).map(name => `#/components/schemas/${name}`)
    expect([...references].sort()).toEqual(components.sort())
  })

  it('asks for a bearer token or a session everywhere but at the sign-in', () => {
    expect(document.security).toEqual([{ bearer: [] }, { session: [] }])
    expect(document.components.securitySchemes.bearer).toEqual({ type: 'http', scheme: 'bearer' })
    for (const endpoint of ENDPOINTS) {
      const isOpen = endpoint.permission === 'anyone'
      expect(operationOf(endpoint).security).toEqual(isOpen ? [] : undefined)
    }
  })
})
