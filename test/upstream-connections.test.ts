/** Connections to an upstream, on real sockets: what is sent, what is used again, what is closed, and who is told. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createServer as createTlsServer, getCACertificates, setDefaultCACertificates } from 'node:tls'
import { promisify } from 'node:util'
import { afterEach, expect, it } from 'vitest'
import type { Exchange, Timeouts } from '../src/gateway/connection.ts'
import { Connections } from '../src/gateway/connections.ts'
import type { UpstreamRequest } from '../src/gateway/upstream-answer.ts'

const REPLY = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
const TIMEOUTS: Timeouts = { connectMs: 20_000, headMs: 20_000, bodyMs: 20_000 }
const REQUEST: UpstreamRequest = {
  httpMethod: 'POST',
  path: '/v1beta/models/m:generateContent?a=b',
  fields: 'content-type: application/json\r\n',
  body: Buffer.from('{"text":"é"}'),
}

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

interface Peer {
  readonly port: number
  readonly sockets: Socket[]
  /** What each connection received so far. */
  readonly received: string[]
}

/** An upstream that answers each piece it receives with what `answer` gives for it. */
async function startPeer(
  answer: (text: string, socket: Socket) => string | null,
  server?: Server,
): Promise<Peer> {
  const sockets: Socket[] = []
  const received: string[] = []
  const listener = server ?? createServer()
  listener.on(server === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    const place = sockets.push(socket) - 1
    received.push('')
    socket.on('error', () => {})
    socket.on('data', chunk => {
      received[place] += chunk.toString('latin1')
      const reply = answer(chunk.toString('latin1'), socket)
      if (reply !== null) socket.write(reply)
    })
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  closers.push(() => {
    for (const socket of sockets) socket.destroy()
    listener.close()
  })
  return { port: (listener.address() as AddressInfo).port, sockets, received }
}

function connectionsTo(origin: string, timeouts = TIMEOUTS): Connections {
  const connections = new Connections(origin, 'x-goog-api-key: secret\r\n', timeouts)
  closers.push(() => connections.close())
  return connections
}

interface Told {
  sent: boolean
  head: number | null
  body: string
  /** How often the end was told. */
  ends: number
  error: Error | null
}

/** Sends a request; resolves when its end was told. `onSent` may break it off. */
function send(
  connections: Connections,
  request: UpstreamRequest = REQUEST,
  onSent: (exchange: Exchange) => void = () => {},
): Promise<Told> {
  return new Promise(resolve => {
    const told: Told = { sent: false, head: null, body: '', ends: 0, error: null }
    const end = (): void => {
      told.ends += 1
      // A second end would come in this turn or the next.
      setTimeout(() => resolve(told), 5)
    }
    connections.dispatch(request, {
      onSent: exchange => {
        told.sent = true
        onSent(exchange)
      },
      onHead: ({ status }) => (told.head = status),
      onData: chunk => (told.body += chunk.toString('latin1')),
      onEnd: end,
      onError: cause => {
        told.error = cause
        end()
      },
    })
  })
}

it('a request is written as it is to be read, and its connection used again', async () => {
  const peer = await startPeer(() => REPLY)
  const connections = connectionsTo(`http://127.0.0.1:${peer.port}`)
  const told = { sent: true, head: 200, body: 'ok', ends: 1, error: null }
  expect(await send(connections)).toEqual(told)
  expect(await send(connections, { ...REQUEST, httpMethod: 'GET', body: Buffer.alloc(0) })).toEqual(told)
  const target = `/v1beta/models/m:generateContent?a=b HTTP/1.1\r\nhost: 127.0.0.1:${peer.port}\r\n`
  const fields = 'connection: keep-alive\r\nx-goog-api-key: secret\r\ncontent-type: application/json\r\n'
  expect(peer.received).toEqual([
    `POST ${target}${fields}content-length: 13\r\n\r\n${REQUEST.body.toString('latin1')}` +
      `GET ${target}${fields}\r\n`,
  ])
})

it('calls at the same time never share a connection, and each gets its own answer', async () => {
  const peer = await startPeer(text => {
    const name = /name=(\d+)/.exec(text)?.[1] ?? ''
    return `HTTP/1.1 200 OK\r\ncontent-length: ${name.length}\r\n\r\n${name}`
  })
  const connections = connectionsTo(`http://127.0.0.1:${peer.port}`)
  for (let round = 0; round < 20; round++) {
    const names = Array.from({ length: 50 }, (_, index) => String(round * 50 + index))
    const told = await Promise.all(
      names.map(name => send(connections, { ...REQUEST, path: `/?name=${name}` })),
    )
    expect(told.map(({ body }) => body)).toEqual(names)
  }
  expect(peer.sockets.length).toBeLessThanOrEqual(50)
})

it('a large body arrives as it is', async () => {
  const body = Buffer.alloc(3_000_000, 'ä')
  let bytes = 0
  const peer = await startPeer(text => {
    bytes += text.length
    return text.endsWith('!') ? REPLY : null
  })
  const connections = connectionsTo(`http://127.0.0.1:${peer.port}`)
  await send(connections, { ...REQUEST, body: Buffer.concat([body, Buffer.from('!')]) })
  const head = peer.received[0]?.indexOf('\r\n\r\n') ?? 0
  expect(bytes - head - 4).toBe(body.length + 1)
  expect(peer.received[0]?.slice(head + 4)).toBe(`${body.toString('latin1')}!`)
})

it.each([
  ['says so', 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok'],
  ['speaks HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok'],
  ['would close it at once', 'HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok'],
  ['sends more than its reply', `${REPLY}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfake`],
])('a connection is not used again when the upstream %s', async (_, reply) => {
  const peer = await startPeer(() => reply)
  const connections = connectionsTo(`http://127.0.0.1:${peer.port}`)
  for (let index = 0; index < 3; index++) expect((await send(connections)).body).toBe('ok')
  expect(peer.sockets.length).toBe(3)
})

it('an answer that nobody asked for is nobody’s: its connection is closed', async () => {
  const peer = await startPeer(() => REPLY)
  const connections = connectionsTo(`http://127.0.0.1:${peer.port}`)
  await send(connections)
  const [socket] = peer.sockets
  socket?.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfake')
  if (socket !== undefined) await once(socket, 'close')
  expect(await send(connections)).toMatchObject({ body: 'ok', ends: 1, error: null })
})

it('an idle connection that the upstream closed is not used again', async () => {
  const peer = await startPeer(() => REPLY)
  const connections = connectionsTo(`http://127.0.0.1:${peer.port}`)
  await send(connections)
  const [socket] = peer.sockets
  socket?.end()
  if (socket !== undefined) await once(socket, 'close')
  expect(await send(connections)).toMatchObject({ body: 'ok', error: null })
  expect(peer.sockets.length).toBe(2)
})

it('an idle connection is closed after some seconds', async () => {
  const peer = await startPeer(() => REPLY)
  const connections = connectionsTo(`http://127.0.0.1:${peer.port}`)
  await send(connections)
  const [socket] = peer.sockets
  if (socket !== undefined) await once(socket, 'close')
  expect(peer.sockets.length).toBe(1)
})

it('an upstream that cannot be reached has seen nothing', async () => {
  const peer = await startPeer(() => REPLY)
  await closers.pop()?.()
  const told = await send(connectionsTo(`http://127.0.0.1:${peer.port}`))
  expect(told).toMatchObject({ sent: false, head: null, ends: 1, error: { code: 'ECONNREFUSED' } })
})

it('a name that does not exist has seen nothing', async () => {
  const told = await send(connectionsTo('http://does-not-exist.invalid'))
  expect(told).toMatchObject({ sent: false, ends: 1 })
  expect(told.error).toBeInstanceOf(Error)
})

it.each([
  ['before its head', null, 0],
  ['inside its reply', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok', 200],
])('silence %s ends the call when its time is over', async (_, reply, head) => {
  const peer = await startPeer(() => reply)
  const connections = connectionsTo(`http://127.0.0.1:${peer.port}`, {
    connectMs: 200,
    headMs: 300,
    bodyMs: 300,
  })
  const told = await send(connections)
  expect(told).toMatchObject({ sent: true, ends: 1, error: { code: 'REPLY_TIMEOUT' } })
  expect(told.head ?? 0).toBe(head)
})

it('a call that is paused is not silent', async () => {
  const peer = await startPeer(() => 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nok')
  const connections = connectionsTo(`http://127.0.0.1:${peer.port}`, {
    connectMs: 200,
    headMs: 300,
    bodyMs: 300,
  })
  const told = await send(connections, REQUEST, exchange => {
    exchange.pause()
    setTimeout(() => {
      peer.sockets[0]?.write('ok')
      exchange.resume()
    }, 1_500)
  })
  expect(told).toMatchObject({ body: 'okok', error: null })
})

it('a call that is broken off is told once', async () => {
  const peer = await startPeer(() => null)
  const connections = connectionsTo(`http://127.0.0.1:${peer.port}`)
  const cause = new Error('not wanted any more')
  const told = await send(connections, REQUEST, exchange => setTimeout(() => exchange.abort(cause), 20))
  expect(told).toMatchObject({ sent: true, ends: 1, error: cause })
})

it('a call that is over breaks off no other, whoever has its connection now', async () => {
  const peer = await startPeer(() => null)
  const connections = connectionsTo(`http://127.0.0.1:${peer.port}`)
  const sent: Exchange[] = []
  const answered = (): Promise<Told> => send(connections, REQUEST, exchange => sent.push(exchange))
  const first = answered()
  while (peer.received[0] === undefined || peer.received[0] === '') await delay(5)
  peer.sockets[0]?.write(REPLY)
  await first
  const second = answered()
  while (sent.length < 2) await delay(5)
  sent[0]?.abort(new Error('too late'))
  peer.sockets[0]?.write(REPLY)
  expect(await second).toMatchObject({ body: 'ok', error: null })
  expect([sent.length, peer.sockets.length]).toEqual([2, 1])
})

it('an early refusal of a body that is still being sent is the answer, and the connection goes', async () => {
  const peer = await startPeer((_, socket) => {
    socket.pause()
    return 'HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno'
  })
  const connections = connectionsTo(`http://127.0.0.1:${peer.port}`)
  const told = await send(connections, { ...REQUEST, body: Buffer.alloc(50_000_000, 'a') })
  expect(told).toMatchObject({ head: 413, body: 'no', ends: 1, error: null })
  await send(connections)
  expect(peer.sockets.length).toBe(2)
})

it('closing tells everybody who waits', async () => {
  const peer = await startPeer(() => null)
  const connections = connectionsTo(`http://127.0.0.1:${peer.port}`)
  const waiting = [1, 2, 3].map(() => send(connections))
  while (peer.received.filter(text => text !== '').length < 3) await delay(5)
  connections.close()
  for (const told of await Promise.all(waiting))
    expect(told).toMatchObject({ sent: true, ends: 1, head: null })
  expect(await send(connections)).toMatchObject({ sent: false, ends: 1 })
})

it.each([
  ['path', { path: '/v1 HTTP/1.1\r\nx: y' }],
  ['path', { path: 'http://elsewhere/' }],
  ['field', { fields: 'user-agent: a\r\nx-goog-api-key: mine\r\n\r\nPOST / HTTP/1.1\r\n' }],
  ['field', { fields: 'user-agent: a\nx: y\r\n' }],
])('what would end a %s early is never written', async (_, wrong) => {
  const peer = await startPeer(() => REPLY)
  const connections = connectionsTo(`http://127.0.0.1:${peer.port}`)
  await expect(send(connections, { ...REQUEST, ...wrong })).rejects.toThrow('one HTTP request')
  expect(peer.sockets).toEqual([])
})

it('TLS: the name is checked, HTTP/1.1 is asked for, and a session is taken up again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pollux-tls-'))
  closers.push(() => rm(folder, { recursive: true }))
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const made = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    keyFile,
    '-out',
    certFile,
  ]
  await promisify(execFile)('openssl', ['req', '-x509', ...made, ...names])
  const [key, cert] = await Promise.all([readFile(keyFile, 'utf8'), readFile(certFile, 'utf8')])
  const server = createTlsServer({ key, cert, ALPNProtocols: ['h2', 'http/1.1'] })
  const peer = await startPeer(
    () => 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok',
    server,
  )
  const taken: unknown[] = []
  server.on('secureConnection', socket => taken.push([socket.alpnProtocol, socket.isSessionReused()]))
  const untrusted = await send(connectionsTo(`https://localhost:${peer.port}`))
  expect(untrusted).toMatchObject({ sent: false, error: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } })
  const trusted = getCACertificates()
  setDefaultCACertificates([...trusted, cert])
  closers.push(() => setDefaultCACertificates(trusted))
  const misnamed = await send(connectionsTo(`https://127.0.0.1:${peer.port}`))
  expect(misnamed).toMatchObject({ sent: false, error: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } })
  const connections = connectionsTo(`https://localhost:${peer.port}`)
  taken.length = 0
  for (let index = 0; index < 2; index++) expect((await send(connections)).body).toBe('ok')
  expect(taken).toEqual([
    ['http/1.1', false],
    ['http/1.1', true],
  ])
})
