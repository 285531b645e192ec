/**
 * An upstream of streams: raw sockets, each call answered with `events` events, one every `everyMs`, that say when they were
 * sent. `node bench/stream-upstream.ts EVENTS EVERY_MS` prints its port.
 */
import { createServer } from 'node:net'

const EVENTS = Number(process.argv[2])
const EVERY_MS = Number(process.argv[3])

const HEAD =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n'

function event(number: number): string {
  const sentMs = performance.timeOrigin + performance.now()
  const isLast = number === EVENTS - 1
  const json = JSON.stringify({
    candidates: [
      {
        content: { role: 'model', parts: [{ text: `#${number} ${sentMs.toFixed(3)}` }] },
        index: 0,
        ...(isLast ? { finishReason: 'STOP' } : {}),
      },
    ],
    usageMetadata: { promptTokenCount: 1, candidatesTokenCount: number + 1, totalTokenCount: number + 2 },
    modelVersion: 'gemini-2.5-flash-lite',
  })
  const text = `data: ${json}\r\n\r\n`
  return `${text.length.toString(16)}\r\n${text}\r\n${isLast ? '0\r\n\r\n' : ''}`
}

const server = createServer({ noDelay: true }, socket => {
  socket.on('error', () => socket.destroy())
  socket.once('data', () => {
    socket.write(HEAD)
    let number = 0
    // Streams do not all speak at once.
    const first = setTimeout(() => {
      const timer = setInterval(say, EVERY_MS)
      socket.once('close', () => clearInterval(timer))
      say()
    }, Math.random() * EVERY_MS)
    socket.once('close', () => clearTimeout(first))
    const say = (): void => {
      if (number === EVENTS || socket.destroyed) return
      socket.write(event(number))
      number += 1
      if (number === EVENTS) socket.end()
    }
  })
})
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') process.stdout.write(`${address.port}\n`)
})
