/** The cheapest upstream there is: raw sockets, one fixed Gemini reply. Run by bench/throughput.ts on the load's core. */
import { createServer } from 'node:net'

const BODY = JSON.stringify({
  candidates: [
    {
      content: {
        role: 'model',
        parts: [{ text: 'The quick brown fox jumps over the lazy dog. '.repeat(8) }],
      },
      finishReason: 'STOP',
      index: 0,
    },
  ],
  usageMetadata: {
    promptTokenCount: 42,
    candidatesTokenCount: 80,
    totalTokenCount: 122,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: 42 }],
    candidatesTokensDetails: [{ modality: 'TEXT', tokenCount: 80 }],
  },
  modelVersion: 'gemini-3.8-flash',
  responseId: 'Zm9vYmFy',
})
const REPLY = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=UTF-8\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`,
)

const server = createServer({ noDelay: true }, socket => {
  let pending = ''
  socket.on('error', () => socket.destroy())
  socket.on('data', chunk => {
    pending += chunk.toString('latin1')
    for (;;) {
      const head = pending.indexOf('\r\n\r\n')
      if (head === -1) return
      const length = Number(/content-length: *(\d+)/i.exec(pending.slice(0, head))?.[1] ?? 0)
      if (pending.length < head + 4 + length) return
      pending = pending.slice(head + 4 + length)
      socket.write(REPLY)
    }
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') process.stdout.write(`${address.port}\n`)
})
