import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Endpoint,
  declaredErrors,
  fillTemplate,
  isOwnSurface,
  paramNames,
} from '../src/contract/endpoint.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { ENDPOINTS } from '../src/contract/table.ts'
import { systemEntry } from '../src/domain/audit.ts'
import { digestOf } from '../src/domain/digest.ts'
import { ApiError } from '../src/domain/error.ts'
import { mintKeyString } from '../src/domain/keystring.ts'
import { ADMIN_TOKEN, type Management, startManagement } from './management.ts'

let management: Management
beforeAll(async () => {
  management = await startManagement()
  await management.client.call(POLLUX_V1.createProject, { body: { projectId: 'door-project' } })
})
afterAll(() => management.close())

const KEYS = '/v2/projects/door-project/locations/global/keys'
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
const nowhere = (endpoint: Endpoint): string =>
  fillTemplate(
    endpoint.path,
    Object.fromEntries(paramNames(endpoint.path).map(name => [name, 'nothing-here'])),
  )
const routes = ENDPOINTS.map(endpoint => [endpoint.id, endpoint] as const)

/** Routes for whoever has no credential yet. */
const isOpen = ({ permission }: Endpoint): boolean => permission === 'anyone'

describe('every route', () => {
  it.each(routes.filter(([, endpoint]) => !isOpen(endpoint)))(
    '%s refuses a request without a token and tells how to send one',
    async (_, endpoint) => {
      const answer = await management.request(endpoint.method, nowhere(endpoint), { headers: {} })
      expect(answer.status).toBe(401)
      expect(answer.json.error.details[0].reason).toBe('ACCESS_TOKEN_MISSING')
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/)
    },
  )

  it.each(routes)('%s refuses an unknown token', async (_, endpoint) => {
    const answer = await management.request(endpoint.method, nowhere(endpoint), bearer('x'.repeat(40)))
    expect([answer.status, answer.json.error.status]).toEqual([401, 'UNAUTHENTICATED'])
  })

  // What people do about their own sessions and passkeys is not for the token that asks here.
  const isPersonal = ({ path }: Endpoint): boolean => /^\/pollux\/v1\/(?:sessions|passkeys)\//.test(path)

  it.each(routes.filter(([, endpoint]) => endpoint.path.includes('{') && !isPersonal(endpoint)))(
    '%s answers for what is not there with a status it declares',
    async (_, endpoint) => {
      const body = endpoint.body === null ? {} : { body: '{}' }
      const answer = await management.request(endpoint.method, nowhere(endpoint), {
        headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
        ...body,
      })
      const reason = answer.json.error.details[0].reason
      expect(declaredErrors(endpoint)).toContain(reason)
      expect(answer.status).toBe(new ApiError(reason, '').httpStatus)
      expect(answer.status).toBe(isOwnSurface(endpoint) || endpoint.path.includes('operation') ? 404 : 403)
    },
  )

  it.each(routes.filter(([, { body }]) => body !== null))(
    '%s refuses a body that is malformed, of another type, or has fields it does not know',
    async (_, endpoint) => {
      const send = async (type: string, body: string | Uint8Array<ArrayBuffer>) => {
        const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': type }
        const { json, status } = await management.request(endpoint.method, nowhere(endpoint), {
          headers,
          body,
        })
        return [status, json.error.details[0].reason]
      }
      expect(await send('application/json', '{"displayName":')).toEqual([400, 'REQUEST_MALFORMED'])
      expect(await send('application/json', '[1]')).toEqual([400, 'REQUEST_MALFORMED'])
      expect(await send('application/json', new Uint8Array([34, 255, 34]))).toEqual([
        400,
        'REQUEST_MALFORMED',
      ])
      expect(await send('text/plain', '{}')).toEqual([415, 'CONTENT_TYPE_REFUSED'])
      expect(await send('application/json', '{"noSuchField":1}')).toEqual([400, 'FIELD_INVALID'])
    },
  )

  it.each(routes)('%s answers with the headers of the management plane', async (_, endpoint) => {
    const { headers } = await management.request(endpoint.method, nowhere(endpoint))
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-security-policy')).toMatch(/^sandbox; .*frame-ancestors 'none'/)
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe('the door', () => {
  it('takes no API key for a token, wherever it travels', async () => {
    const keyString = mintKeyString('key')
    const attempts = await Promise.all([
      management.request('GET', KEYS, bearer(keyString)),
      management.request('GET', KEYS, { headers: { 'x-goog-api-key': keyString } }),
      management.request('GET', `${KEYS}?key=${keyString}`, { headers: {} }),
    ])
    for (const { status, json, text } of attempts) {
      expect(status).toBe(401)
      expect(json.error.message).toMatch(/API keys call models and cannot manage/)
      expect(text).not.toContain(keyString)
    }
  })

  it('takes a token that storage knows, and no longer once it is replaced', async () => {
    const token = mintKeyString('token')
    const audit = () =>
      systemEntry({
        methodName: 'pollux.v1.Tokens.PutToken',
        resourceName: 'tokens/local',
        projectNumber: null,
      })
    await management.storage.tokens.put(
      { name: 'tokens/local', digest: digestOf(token), role: 'owner' },
      audit(),
    )
    expect((await management.request('GET', KEYS, bearer(token))).status).toBe(200)
    const digest = digestOf(mintKeyString('token'))
    await management.storage.tokens.put({ name: 'tokens/local', digest, role: 'owner' }, audit())
    expect((await management.request('GET', KEYS, bearer(token))).status).toBe(401)
  })

  it('answers unknown paths and methods only to those who may ask', async () => {
    expect((await management.request('GET', '/v2/nothing', { headers: {} })).status).toBe(401)
    expect((await management.request('GET', '/v2/nothing')).json.error).toMatchObject({
      code: 404,
      status: 'NOT_FOUND',
    })
    const wrong = await management.request('PUT', KEYS)
    expect(wrong.json.error).toMatchObject({ code: 404, message: expect.stringContaining('POST, GET') })
    expect((await management.request('HEAD', KEYS)).status).toBe(404)
  })

  it('keeps two custom methods of one resource apart, and takes the stray slash of the documentation', async () => {
    await management.request('POST', `${KEYS}?keyId=verbs`, { body: '{}' })
    const own = '/pollux/v1/projects/door-project/keys/verbs'
    expect((await management.request('POST', `${own}:disable`)).json.state).toBe('DISABLED')
    expect((await management.request('POST', `${own}:enable`)).json.state).toBe('ACTIVE')
    expect((await management.request('POST', `${own}:nothing`)).status).toBe(404)
    await management.request('DELETE', `${KEYS}/verbs`)
    expect((await management.request('POST', `${KEYS}/verbs/:undelete`)).json.done).toBe(true)
  })

  it('refuses a second Authorization header', async () => {
    const head = `GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN_TOKEN}\r\n`
    const answer = await raw(`${head}Authorization: Bearer other\r\nConnection: close\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(answer).toContain('REQUEST_HEADERS_REFUSED')
  })

  it('refuses a body over 1 MB by its length, without reading it', async () => {
    const head = `POST ${KEYS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN_TOKEN}\r\n`
    // Not one byte of the body is sent: only an answer that does not wait for it can arrive.
    const answer = await raw(`${head}Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect(answer).toContain('BODY_TOO_LARGE')
    expect(answer.toLowerCase()).toContain('connection: close')
  })

  it('reads no body of a stranger, and none for an unknown path', async () => {
    const rest = 'Host: x\r\nContent-Type: application/json\r\nContent-Length: 500000\r\n'
    const stranger = await raw(`POST ${KEYS} HTTP/1.1\r\n${rest}\r\n`)
    expect(stranger).toMatch(/^HTTP\/1\.1 401 [^]*connection: close/i)
    const lost = await raw(`POST /v2/lost HTTP/1.1\r\nAuthorization: Bearer ${ADMIN_TOKEN}\r\n${rest}\r\n`)
    expect(lost).toMatch(/^HTTP\/1\.1 404 [^]*connection: close/i)
  })

  it('tells nothing of a bug but the request id, and logs its cause', async () => {
    const bug = new Error('the inner working')
    const broken = await startManagement(() => Promise.reject(bug))
    const answer = await broken.request('GET', '/metrics')
    expect(answer.json.error).toMatchObject({ code: 500, status: 'INTERNAL' })
    expect(answer.text).not.toContain('inner working')
    const requestId = answer.headers.get('x-request-id')
    expect(broken.logged).toMatchObject([{ requestId, err: { cause: bug } }])
    await broken.close()
  })

  it('ignores the query parameters of every Google API, and refuses unknown ones on our own paths', async () => {
    const standard =
      '$alt=json%3Benum-encoding=int&alt=json&prettyPrint=false&$.xgafv=2&fields=name&quotaUser=x&key=abc'
    expect((await management.request('GET', `${KEYS}?${standard}&unknown=1`)).status).toBe(200)
    const own = '/pollux/v1/projects/door-project/keys'
    expect((await management.request('GET', `${own}?${standard}`)).status).toBe(200)
    expect((await management.request('GET', `${own}?page_sise=1`)).json.error.message).toMatch(
      /page_sise.*pageSize/,
    )
  })
})

describe('metrics and the OpenAPI document', () => {
  it('serves the exposition text', async () => {
    const { text, headers } = await management.request('GET', '/metrics')
    expect(text).toBe('pollux_up 1\n')
    expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  })

  it('serves the document that the table makes', async () => {
    const document = await management.client.call(POLLUX_V1.getOpenApi, {})
    expect(document.openapi).toBe('3.1.0')
  })
})

/** What comes back for raw bytes until the server closes. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(management.port, '127.0.0.1', () => socket.write(text))
    let answer = ''
    socket.setEncoding('utf8').on('data', chunk => (answer += String(chunk)))
    socket.on('close', () => resolve(answer)).on('error', reject)
  })
}
