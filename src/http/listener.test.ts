import { request } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { type Listener, type ListenerOptions, startListener } from './listener.ts'
import { writeReply } from './reply.ts'

let listener: Listener | null = null
afterEach(() => listener?.close())

const listen = async (options: Pick<ListenerOptions, 'allowedHosts' | 'isBehindTls'>) => {
  listener = await startListener({
    host: '127.0.0.1',
    port: 0,
    trustedProxies: [],
    handle: ({ response }) =>
      writeReply(response, {
        status: 200,
        headers: { 'content-type': 'text/plain' },
        body: Buffer.from('served'),
      }),
    onError: error => {
      throw error
    },
    ...options,
  })
  return Number(new URL(listener.origin).port)
}

/** Status and Strict-Transport-Security of what is answered. */
const ask = (port: number, { path = '/', host = 'keys.example.com' } = {}) =>
  new Promise<readonly [number | undefined, string | undefined]>((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, headers: { host }, agent: false }, response => {
      const told = response.headers['strict-transport-security']
      response.resume().once('end', () => resolve([response.statusCode, told]))
    })
      .once('error', reject)
      .end()
  })

describe('Strict-Transport-Security', () => {
  it('is told with every answer behind TLS, refusals too', async () => {
    const port = await listen({ allowedHosts: null, isBehindTls: true })
    expect(await ask(port)).toEqual([200, 'max-age=31536000'])
    expect(await ask(port, { path: '/a/../b' })).toEqual([400, 'max-age=31536000'])
  })

  it('is not told where there is no TLS', async () => {
    const port = await listen({ allowedHosts: null, isBehindTls: false })
    expect(await ask(port)).toEqual([200, undefined])
  })
})

describe('a host name', () => {
  it('that is not one of this server is refused, whatever the case of the others', async () => {
    const port = await listen({ allowedHosts: new Set(['keys.example.com']), isBehindTls: false })
    expect(await ask(port, { host: 'Keys.Example.COM' })).toEqual([200, undefined])
    expect(await ask(port, { host: 'evil.example.com' })).toEqual([421, undefined])
  })
})
