import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { CallBodies } from '../domain/call-bodies.ts'
import type { ReplySink } from '../http/reply.ts'
import type { BodyLog, Call, Grant } from './call.ts'
import { CallCopy } from './call-copy.ts'

const REQUEST = '{"contents":[]}'

/** A log with room for so many bytes. */
function logOf(bytesMax: number) {
  const told = { held: 0, dropped: 0, kept: [] as CallBodies[] }
  const log: BodyLog = {
    take(bytes) {
      if (told.held + bytes > bytesMax) return false
      told.held += bytes
      return true
    },
    give: bytes => void (told.held -= bytes),
    keep: bodies => void told.kept.push(bodies),
    drop: () => void (told.dropped += 1),
  }
  return { told, log }
}

function copyOf(log: BodyLog): CallCopy {
  const entry = { key: { uid: 'key' }, project: { number: '7' } }
  const grant = { caller: { entry }, body: Buffer.from(REQUEST) }
  return new CallCopy({ id: 'call' } as Call, grant as unknown as Grant, log)
}

/** Sends a reply in pieces through the copy; what the client was given of it. */
function send(copy: CallCopy, pieces: readonly string[]): string {
  let given = ''
  const sink: ReplySink = {
    write: chunk => {
      given += Buffer.from(chunk).toString('utf8')
      return true
    },
    end: () => {},
    cut: () => {},
    onDrain: () => {},
  }
  const stream = { start: (to: ReplySink) => pieces.forEach(piece => to.write(Buffer.from(piece))) }
  const { body } = copy.over({ status: 200, headers: {}, body: stream })
  if (!Buffer.isBuffer(body)) body.start(sink)
  return given
}

const textOf = ({ request, reply }: CallBodies) =>
  [request, reply].map(({ bytes }) => Buffer.from(bytes).toString('utf8'))

it('hands over what was asked and answered once the record is there, with the bytes it holds', async () => {
  const { told, log } = logOf(10_000)
  const copy = copyOf(log)
  const booked = Promise.withResolvers<void>()
  copy.settled(booked.promise)
  expect(send(copy, ['one ', 'two'])).toBe('one two')
  await turn()
  expect(told.kept).toEqual([])
  booked.resolve()
  await turn()
  await turn()
  expect(told.kept.map(textOf)).toEqual([[REQUEST, 'one two']])
  expect(told.held).toBe(REQUEST.length + 'one two'.length)
})

it('is dropped and counted where there is no room, and the client is given all the same', async () => {
  for (const bytesMax of [10, 400]) {
    const { told, log } = logOf(bytesMax)
    const copy = copyOf(log)
    const pieces = ['a piece of a reply, ', 'x'.repeat(300), 'and its end']
    expect(send(copy, pieces)).toBe(pieces.join(''))
    copy.settled(Promise.reject(new Error('not durable in time')))
    await turn()
    await turn()
    expect(told).toEqual({ held: 0, dropped: 1, kept: [] })
  }
})
