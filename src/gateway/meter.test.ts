import { expect, it } from 'vitest'
import type { UsageRecord } from '../domain/usage.ts'
import type { Admission, Gateway } from './call.ts'
import { meter } from './meter.ts'
import { routeOf } from './methods.ts'
import type { OpenCall } from './open-calls.ts'
import { UpstreamAnswer } from './upstream-answer.ts'

it.each(['generateContent', 'streamGenerateContent'])(
  'a redirect of %s is neither followed, nor passed on, nor billed',
  async verb => {
    const records: UsageRecord[] = []
    let aborted: Error | null = null
    const answer = new UpstreamAnswer(302, { location: 'https://elsewhere.example/' }, {
      abort: (cause: Error) => (aborted = cause),
    } as unknown as ConstructorParameters<typeof UpstreamAnswer>[2])
    const call = { id: 'c', startTimeMs: 0, startedMs: 0, target: { path: '', query: new URLSearchParams() } }
    const { method } = routeOf('POST', `/v1beta/models/m:${verb}`)
    const entry = { project: { number: '1' }, key: { uid: 'k' } }
    const grant = {
      method,
      entry,
      model: 'm',
      requestBytes: 1,
      hold: { settled: false },
    } as unknown as Admission
    const open = { call, grant, given: () => null } as unknown as OpenCall & { grant: Admission }
    const io = {
      usage: { append: (record: UsageRecord) => Promise.resolve(void records.push(record)) },
      events: { callSettled: () => {}, upstreamFailed: () => {} },
    } as unknown as Gateway
    await expect(meter(answer, open, io)).rejects.toMatchObject({
      reason: 'UPSTREAM_BROKEN',
      httpStatus: 502,
    })
    expect(records).toMatchObject([{ outcome: 'void', httpStatus: 502, usage: { totalTokens: 0 } }])
    expect(aborted).toBeInstanceOf(Error)
  },
)
