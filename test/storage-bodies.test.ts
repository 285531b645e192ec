import { beforeAll, expect, test, vi } from 'vitest'
import { runJobs } from '../src/control/jobs.ts'
import type { CallBodies } from '../src/domain/call-bodies.ts'
import { ApiError } from '../src/domain/error.ts'
import { BodyQueue } from '../src/storage/body-queue.ts'
import type { Storage } from '../src/storage/storage.ts'
import {
  type Place,
  auditEntry,
  behind,
  createProject,
  describeOnBothEngines,
  keyDraft,
  reasonOf,
  refusal,
  times,
} from './storage-fixture.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const HOUR_MS = 3_600_000

function copied(text: string) {
  const bytes = Buffer.from(text)
  return { bytes, sizeBytes: bytes.length, isCut: false }
}

let calls = 0
function bodiesOf(projectNumber: string, part: Partial<CallBodies> = {}): CallBodies {
  calls += 1
  const place = { callId: `body-call-${calls}`, projectNumber, keyUid: 'no key' }
  return { ...place, request: copied('{"asked":1}'), reply: copied('{"answered":1}'), ...part }
}

describeOnBothEngines('bodies of calls', engine => {
  let place: Place
  let storage: Storage
  beforeAll(async () => {
    place = await engine.place()
    storage = await engine.open(place)
  })

  async function keeping(hours: number | null): Promise<string> {
    const { number } = await createProject(storage)
    if (hours !== null) await storage.bodies.setRetention(number, hours, auditEntry())
    return number
  }

  async function kept(bodies: CallBodies): Promise<CallBodies> {
    expect(storage.bodies.take(bodies.request.bytes.length + bodies.reply.bytes.length)).toBe(true)
    storage.bodies.keep(bodies)
    await storage.bodies.settled()
    return bodies
  }
  const reveal = ({ projectNumber, callId }: CallBodies) =>
    storage.bodies.reveal({ projectNumber, callId }, auditEntry())
  const rowsOf = (projectNumber: string) =>
    behind(place, db =>
      db.selectFrom('call_body').selectAll().where('project_number', '=', projectNumber).execute(),
    )

  test('are kept by a project that wants it, for its own reader, and each look is in the audit trail', async () => {
    const number = await keeping(24)
    const bodies = await kept(bodiesOf(number, { request: copied('{"key":"AIzaSyD-0123456789abcdefghij"}') }))
    const { entriesChecked } = await storage.audit.verify()
    expect(await reveal(bodies)).toEqual({
      request: { text: '{"key":"AIza…"}', sizeBytes: 38, isTruncated: false },
      reply: { text: '{"answered":1}', sizeBytes: 14, isTruncated: false },
      expireTimeMs: expect.any(Number),
    })
    expect((await storage.audit.verify()).entriesChecked).toBe(entriesChecked + 1)
    const other = await keeping(24)
    expect(await reasonOf(reveal({ ...bodies, projectNumber: other }))).toBe('BODIES_NOT_KEPT')
  })

  test('are in no row as they were', async () => {
    const number = await keeping(1)
    await kept(bodiesOf(number, { reply: copied('a word that stands nowhere else') }))
    const [row] = await rowsOf(number)
    expect(row?.sealed).toMatch(/^v1\.[0-9a-f]{16}\./)
    expect(JSON.stringify(await rowsOf(number))).not.toMatch(/nowhere|asked/)
  })

  test('are not kept by a project that was asked nothing, and it says so', async () => {
    const number = await keeping(null)
    const error = await refusal(reveal(await kept(bodiesOf(number))))
    expect([error.reason, error.httpStatus]).toEqual(['BODIES_NOT_KEPT', 404])
    expect(error.message).toContain('keeps no bodies')
    expect(await rowsOf(number)).toEqual([])
  })

  test('are deleted when the project stops keeping them, and none of before is there when it begins again', async () => {
    const [number, other] = [await keeping(24), await keeping(24)]
    const bodies = await kept(bodiesOf(number))
    const others = await kept(bodiesOf(other))
    const [row] = await rowsOf(number)
    await storage.bodies.setRetention(number, null, auditEntry())
    expect(await rowsOf(number)).toEqual([])
    expect(await rowsOf(other)).toHaveLength(1)
    await storage.bodies.setRetention(number, 24, auditEntry())
    // As a restored table would bring it back: the key that opened it is gone.
    await behind(place, db =>
      db
        .insertInto('call_body')
        .values(row === undefined ? [] : [row])
        .execute(),
    )
    expect(await reasonOf(reveal(bodies))).toBe('BODIES_NOT_KEPT')
    expect((await reveal(others)).reply.text).toBe('{"answered":1}')
  })

  test('are not kept when the project stops before they are written', async () => {
    const number = await keeping(24)
    storage.bodies.take(25)
    storage.bodies.keep(bodiesOf(number))
    await storage.bodies.setRetention(number, null, auditEntry())
    await storage.bodies.settled()
    expect(await rowsOf(number)).toEqual([])
  })

  test('are shown no longer than their retention, and pruned, those of a restored backup, too', async () => {
    const number = await keeping(2)
    const bodies = await kept(bodiesOf(number))
    const { expireTimeMs } = await reveal(bodies)
    expect(Math.abs(expireTimeMs - Date.now() - 2 * HOUR_MS)).toBeLessThan(60_000)
    await storage.bodies.purge(expireTimeMs - 1)
    expect(await rowsOf(number)).toHaveLength(1)
    await behind(place, db =>
      db.updateTable('call_body').set({ expire_time: 1 }).where('project_number', '=', number).execute(),
    )
    expect(await reasonOf(reveal(bodies))).toBe('BODIES_NOT_KEPT')
    const logged: unknown[] = []
    const log = { info: (fields: object) => void logged.push(fields), error: console.error }
    await runJobs({ storage, log, now: Date.now })
    expect(logged).toContainEqual({ calls: 1 })
    expect(await rowsOf(number)).toEqual([])
  })

  test('obey a retention that was shortened since, and no longer one that was lengthened', async () => {
    const number = await keeping(10)
    const bodies = await kept(bodiesOf(number))
    const { expireTimeMs } = await reveal(bodies)
    await storage.bodies.setRetention(number, 100, auditEntry())
    expect((await reveal(bodies)).expireTimeMs).toBe(expireTimeMs)
    await storage.bodies.setRetention(number, 3, auditEntry())
    expect((await reveal(bodies)).expireTimeMs).toBe(expireTimeMs - 7 * HOUR_MS)
    expect(await storage.bodies.purge(expireTimeMs - 7 * HOUR_MS)).toBe(1)
    expect(await rowsOf(number)).toEqual([])
  })

  test('go with their key and their project when those are purged', async () => {
    const number = await keeping(720)
    const draft = keyDraft(number)
    const [key, left] = [
      await storage.keys.create(draft, auditEntry(), null),
      await storage.keys.create(keyDraft(number), auditEntry(), null),
    ]
    await kept(bodiesOf(number, { keyUid: key.uid }))
    await kept(bodiesOf(number, { keyUid: left.uid }))
    await storage.keys.delete({ id: key.uid, etag: null, unusedSinceMs: null }, auditEntry(), null)
    await storage.keys.purge(Date.now() + 60_000, auditEntry())
    expect((await rowsOf(number)).map(row => row.key_uid)).toEqual([left.uid])
    await storage.projects.delete({ id: number, etag: null }, auditEntry(), null)
    expect(await reasonOf(storage.bodies.setRetention(number, 1, auditEntry()))).toBe('STATE_CONFLICT')
    await storage.keys.purge(Date.now() + 60_000, auditEntry())
    expect(await rowsOf(number)).toEqual([])
    const secrets = await behind(place, db =>
      db.selectFrom('secret').select('column_name').where('project_number', '=', number).execute(),
    )
    expect(secrets).toEqual([])
  })

  test('can be read after the thread has come back, and the same batch twice is one', async () => {
    const here = await engine.place()
    const first = await engine.open(here)
    const { number } = await createProject(first)
    await first.bodies.setRetention(number, 1, auditEntry())
    const bodies = bodiesOf(number)
    first.bodies.take(50)
    for (const again of [bodies, bodies]) first.bodies.keep(again)
    await first.close()
    const second = await engine.open(here)
    const { reply } = await second.bodies.reveal(bodies, auditEntry())
    expect(reply.text).toBe('{"answered":1}')
  })
})

test('more than there is room for is dropped and counted, and what was written makes room', async () => {
  let dropped = 0
  const sent: CallBodies[] = []
  const queue = new BodyQueue(async batch => void sent.push(...batch), {
    bytesMax: 100,
    onDrop: calls => void (dropped += calls),
  })
  expect(times(5, 25).map(bytes => queue.take(bytes))).toEqual([true, true, true, true, false])
  queue.drop()
  for (let call = 0; call < 4; call++) queue.keep(bodiesOf('1'))
  await queue.settled()
  queue.stop()
  expect([sent.length, dropped, queue.take(100)]).toEqual([4, 1, true])
})

test('what the database cannot take now waits, and what it refuses is dropped and told once', async () => {
  let dropped = 0
  const failures: string[] = []
  let reason: 'STORAGE_UNAVAILABLE' | 'SECRET_UNREADABLE' | null = 'STORAGE_UNAVAILABLE'
  const sent: CallBodies[] = []
  const queue = new BodyQueue(
    async batch => {
      if (reason !== null) throw new ApiError(reason, 'away')
      sent.push(...batch)
    },
    { onDrop: calls => void (dropped += calls), onFailure: error => void failures.push(error.reason) },
  )
  queue.take(25)
  queue.keep(bodiesOf('1'))
  expect(await reasonOf(queue.settled())).toBe('STORAGE_UNAVAILABLE')
  expect(await reasonOf(queue.settled())).toBe('STORAGE_UNAVAILABLE')
  reason = 'SECRET_UNREADABLE'
  await queue.settled()
  expect([dropped, failures]).toEqual([1, ['STORAGE_UNAVAILABLE']])
  reason = null
  queue.take(25)
  queue.keep(bodiesOf('1'))
  await queue.settled()
  queue.stop()
  expect(sent).toHaveLength(1)
})
