import { type RequestListener, type ServerResponse, createServer } from 'node:http'
import { type AddressInfo, type Socket, connect } from 'node:net'
import { once } from 'node:events'
import { afterEach, expect, it } from 'vitest'
import { type ReplySink, type ReplyStream, writeReply } from './reply.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** The response of a request whose client reads only when the test says so. */
async function exchange(): Promise<{ response: ServerResponse; client: Socket }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.pause().on('error', () => {})
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  closers.push(
    () => client.destroy(),
    () => server.close(),
    () => server.closeAllConnections(),
  )
  const [, response] = (await once(server, 'request')) as Parameters<RequestListener>
  return { response, client }
}

function streamOf(): ReplyStream & { sink: () => ReplySink } {
  let started: ReplySink | null = null
  return {
    start: sink => (started = sink),
    sink: () => {
      if (started === null) throw new Error('not started')
      return started
    },
  }
}

const MORE_THAN_SOCKETS_HOLD = Buffer.alloc(32 * 1024 * 1024, 'x')
const STALL_MS = 100

it('a client that takes nothing of a whole reply is let go', async () => {
  const { response } = await exchange()
  writeReply(response, { status: 200, headers: {}, body: MORE_THAN_SOCKETS_HOLD }, STALL_MS)
  await once(response, 'close')
  expect(response.writableFinished).toBe(false)
})

it('a client that takes nothing of a stream is let go', async () => {
  const { response } = await exchange()
  const stream = streamOf()
  writeReply(response, { status: 200, headers: {}, body: stream }, STALL_MS)
  expect(stream.sink().write(MORE_THAN_SOCKETS_HOLD)).toBe(false)
  await once(response, 'close')
})

it('a client that takes nothing of the end of a stream is let go', async () => {
  const { response } = await exchange()
  const stream = streamOf()
  writeReply(response, { status: 200, headers: {}, body: stream }, STALL_MS)
  stream.sink().write(MORE_THAN_SOCKETS_HOLD)
  stream.sink().end()
  await once(response, 'close')
})

it('a stream that pauses for longer is left alone, once all of it was taken', async () => {
  const { response, client } = await exchange()
  const stream = streamOf()
  writeReply(response, { status: 200, headers: {}, body: stream }, STALL_MS)
  const drained = new Promise<void>(resolve => {
    stream.sink().onDrain(resolve)
  })
  stream.sink().write(MORE_THAN_SOCKETS_HOLD)
  client.resume()
  await drained
  await new Promise(resolve => setTimeout(resolve, 3 * STALL_MS))
  expect(response.destroyed).toBe(false)
  stream.sink().end()
  await once(response, 'close')
  expect(response.writableFinished).toBe(true)
})

it('a stream whose head cannot be written is started all the same: it has duties of its own', async () => {
  const { response } = await exchange()
  const stream = streamOf()
  const reply = { status: 200, headers: { 'x-bad': '€' }, body: stream }
  expect(() => writeReply(response, reply)).toThrow('x-bad')
  expect(stream.sink().write(Buffer.from('a'))).toBe(true)
})
