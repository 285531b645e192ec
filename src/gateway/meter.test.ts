import { expect, it } from 'vitest'
import type { UsageRecord } from '../domain/usage.ts'
import type { Gateway } from './call.ts'
import type { Exchange } from './connection.ts'
import { meterStream, meterUnary } from './meter.ts'
import { routeOf } from './methods.ts'
import type { OpenCall } from './open-calls.ts'
import { UpstreamAnswer } from './upstream-answer.ts'

it.each(['generateContent', 'streamGenerateContent'])(
  'a redirect of %s is neither followed, nor passed on, nor billed',
  async verb => {
    const records: UsageRecord[] = []
    let aborted: Error | null = null
    const head = { status: 302, contentType: null, retryAfter: null, serviceTier: null }
    const call = {
      id: 'c',
      startTimeMs: 0,
      startedMs: 0,
      receivedAtMs: 1,
      target: { path: '', query: new URLSearchParams() },
    }
    const { method } = routeOf('POST', `/v1beta/models/m:${verb}`)
    const entry = { project: { number: '1' }, key: { uid: 'k' } }
    const grant = { method, caller: { entry }, model: 'm', requestBytes: 1 }
    const admission = { grant, hold: { settled: false, price: null, quota: null, money: null } }
    const open = {
      call,
      grant,
      admission,
      copy: null,
      given: () => null,
      admittedAtMs: 2,
    } as unknown as OpenCall
    const io = {
      usage: { append: (record: UsageRecord) => Promise.resolve(void records.push(record)) },
      events: { callSettled: () => {}, upstreamFailed: () => {} },
    } as unknown as Gateway
    const answered = method.streams
      ? meterStream(
          new UpstreamAnswer(head, { abort: (cause: Error) => (aborted = cause) } as unknown as Exchange),
          open,
          io,
        )
      : meterUnary({ ...head, atMs: 0, endedAtMs: 3, body: Buffer.from('<html>') }, open, io)
    await expect(answered).rejects.toMatchObject({ reason: 'UPSTREAM_BROKEN', httpStatus: 502 })
    expect(records).toMatchObject([
      {
        outcome: 'void',
        httpStatus: 502,
        usage: { totalTokens: 0 },
        costNanos: 0,
        postedNanos: 0,
        receivedUs: 1_000,
      },
    ])
    if (method.streams) expect(aborted).toBeInstanceOf(Error)
  },
)
