/** Backups of a database that is being written to, and what a restore of one can be relied on for. */
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { PROJECT_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { digestOf } from '../src/domain/digest.ts'
import { mintKeyString } from '../src/domain/keystring.ts'
import { writeBackup } from '../src/storage/backup.ts'
import { type Restored, restoreBackup } from '../src/storage/restore.ts'
import type { Storage } from '../src/storage/storage.ts'
import { type Pollux, startPollux } from './pollux.ts'
import { socketUrl } from './postgres.ts'
import { runProgram } from './program.ts'
import {
  type EngineUnderTest,
  MASTER_KEYS,
  type Place,
  auditEntry,
  behind,
  budgetDraft,
  createProject,
  describeOnBothEngines,
  freshFolder,
  keyDraft,
  postgres,
  postgresMissing,
  refusal,
  startChild,
  times,
  usageRecord,
} from './storage-fixture.ts'

vi.setConfig({ testTimeout: 120_000 })

const CAP = 100_000
const LINE_ENDS = 'new\nline \u2028 separator \r return'

/** A project with a recoverable key, a budget, and an audit trail. */
async function furnished(storage: Storage) {
  const { number } = await createProject(storage)
  await storage.projects.update({ id: number, etag: null }, { recoverableKeys: true }, auditEntry(), null)
  const keyString = mintKeyString('key')
  const draft = keyDraft(number, { keyString, digest: digestOf(keyString), annotations: { a: LINE_ENDS } })
  const key = await storage.keys.create(draft, auditEntry({ userAgent: LINE_ENDS }), null)
  const budget = await storage.budgets.create(budgetDraft({ capNanos: CAP }), auditEntry())
  await storage.audit.checkpoint()
  return { key, keyString, budget }
}

const restoreAt = ({ engine, dataDir }: Place, path: string): Promise<Restored> =>
  restoreBackup({ engine, dataDir, masterKeys: MASTER_KEYS }, path)

const SOUND = { ledger: { drifts: [] }, audit: { problems: [] }, secrets: { remaining: 0 } }

describeOnBothEngines('a backup', engine => {
  let place: Place
  let storage: Storage
  let path: string
  let made: Awaited<ReturnType<typeof furnished>>
  beforeAll(async () => {
    place = await engine.place()
    storage = await engine.open(place)
    made = await furnished(storage)
    path = `${freshFolder()}.gz`
    await writeBackup(place.engine, path, null)
  })

  test('holds neither the master key nor any key as it is, and nobody else may read it', async () => {
    const text = gunzipSync(await readFile(path)).toString('utf8')
    for (const secret of [made.keyString, ...MASTER_KEYS]) expect(text).not.toContain(secret)
    expect(text).toContain(digestOf(made.keyString))
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  test('gives back every row; secrets open, keys are found, the trail goes on with the restore', async () => {
    const target = await engine.place()
    expect(await restoreAt(target, path)).toMatchObject({ ...SOUND, lostNanos: 0 })
    const restored = await engine.open(target)
    expect((await restored.keys.findByDigest(digestOf(made.keyString)))?.key).toEqual(made.key)
    expect(await restored.keys.reveal(made.key.uid, auditEntry())).toBe(made.keyString)
    const { items } = await restored.audit.list({ projectNumber: null, limit: 2, cursor: null })
    expect(items.map(({ methodName }) => methodName)).toContain('pollux.v1.Backups.RestoreBackup')
    expect(await restored.audit.verify()).toMatchObject({ problems: [], checkpointsChecked: 1 })
  })

  test('of one engine is one of the other', async () => {
    if (postgresMissing !== null) return
    const other: Place =
      engine.kind === 'sqlite'
        ? { engine: { kind: 'postgres', url: await postgres().url() }, dataDir: freshFolder() }
        : await sqlitePlace()
    expect(await restoreAt(other, path)).toMatchObject(SOUND)
    const restored = await engine.open(other)
    expect(await restored.keys.reveal(made.key.uid, auditEntry())).toBe(made.keyString)
    // Still there: what it was made from.
    expect(await storage.keys.reveal(made.key.uid, auditEntry())).toBe(made.keyString)
  })

  test('that is cut short or changed anywhere is refused, and leaves the place as empty as it was', async () => {
    const target = await engine.place()
    const whole = await readFile(path)
    const text = gunzipSync(whole).toString('utf8')
    const lines = text.trimEnd().split('\n')
    const damaged: readonly (readonly [string, Buffer])[] = [
      ['cut in the middle', whole.subarray(0, whole.length / 2)],
      ['without its end', gzipSync(`${lines.slice(0, -1).join('\n')}\n`)],
      ['without a line', gzipSync(`${lines.filter((_, place) => place !== 5).join('\n')}\n`)],
      [
        'with a line twice',
        gzipSync(`${lines.flatMap((line, place) => (place === 5 ? [line, line] : [line])).join('\n')}\n`),
      ],
      ['with another amount', gzipSync(text.replace(String(CAP), String(CAP + 1)))],
      ['no backup at all', Buffer.from('hello')],
    ]
    for (const [how, bytes] of damaged) {
      const file = `${freshFolder()}.gz`
      await writeFile(file, bytes)
      const error = await refusal(restoreAt(target, file))
      expect([error.reason, how]).toEqual(['STATE_CONFLICT', how])
    }
    expect(await restoreAt(target, path)).toMatchObject(SOUND)
  })

  test('is restored neither over a database nor under another master key', async () => {
    expect((await refusal(restoreAt({ ...place, dataDir: freshFolder() }, path))).message).toContain('empty')
    const target = await engine.place()
    const masterKeys = [Buffer.alloc(32, 9).toString('base64')]
    expect((await refusal(restoreBackup({ ...target, masterKeys }, path))).message).toContain(
      'POLLUX_MASTER_KEY',
    )
    expect((await refusal(restoreBackup({ ...target, masterKeys: null }, path))).message).toContain(
      'master key',
    )
    expect((await refusal(writeBackup(place.engine, path, null))).message).toContain('exists')
  })

  test('brings its master key where somebody asked for it', async () => {
    const withKey = `${freshFolder()}.gz`
    await writeBackup(place.engine, withKey, MASTER_KEYS)
    const target = await engine.place()
    expect(await restoreBackup({ ...target, masterKeys: null }, withKey)).toMatchObject(SOUND)
    const kept = await readFile(join(target.dataDir, 'master-key'), 'utf8')
    expect(kept).toBe(`${MASTER_KEYS.join('\n')}\n`)
  })
})

async function sqlitePlace(): Promise<Place> {
  const dataDir = freshFolder()
  return { engine: { kind: 'sqlite', path: join(dataDir, 'pollux.db') }, dataDir }
}

describeOnBothEngines('a backup under load', engine => {
  test('posts what was allotted then, so that the cap holds for calls that were under way', async () => {
    const { place, storage, budgetUid } = await spender(engine)
    // Held, not settled.
    const { standings } = await storage.ledger.take([{ budgetUid, minNanos: 700, wantNanos: 700 }])
    const settled = usageRecord({
      ledger: standings.map(({ rowId }) => rowId),
      costNanos: 300,
      postedNanos: 300,
    })
    await storage.usage.append(settled, [{ allotmentId: standings[0]?.allotment?.id ?? '', nanos: 300 }])
    const path = `${freshFolder()}.gz`
    await writeBackup(place.engine, path, null)
    const target = await engine.place()
    expect(await restoreAt(target, path)).toMatchObject({ ...SOUND, lostNanos: 400 })
    const [budget] = await (await engine.open(target)).budgets.list({})
    expect(budget?.balance).toMatchObject({ postedNanos: 700, allottedNanos: 0 })
  })

  test('is whole each time while a process spends without pause', async () => {
    const { place, storage, budgetUid } = await spender(engine)
    await storage.close()
    const order = {
      acknowledgedPath: `${freshFolder()}.txt`,
      record: usageRecord(),
      prefix: 'load',
      budgetUids: [budgetUid],
    }
    await writeFile(order.acknowledgedPath, '')
    const child = await startChild({ mode: 'spend', place, ...order })
    try {
      for (const round of times(3, 0).keys()) {
        const before = (await stat(order.acknowledgedPath)).size
        await expect
          .poll(async () => (await stat(order.acknowledgedPath)).size, { timeout: 60_000 })
          .toBeGreaterThan(before)
        const acknowledged = (await readFile(order.acknowledgedPath, 'utf8')).split('\n').slice(0, -1)
        const path = `${freshFolder()}.gz`
        await writeBackup(place.engine, path, null)
        const target = await engine.place()
        const restored = await restoreAt(target, path)
        expect(restored, `round ${round}`).toMatchObject(SOUND)
        // Whatever was acknowledged before it began is in it.
        expect(restored.ledger.recordsChecked).toBeGreaterThanOrEqual(acknowledged.length)
        const rows = await behind(target, db => db.selectFrom('budget_period').selectAll().execute())
        for (const { posted, allotted } of rows) {
          expect(posted).toBeLessThanOrEqual(SPENDER_CAP)
          expect(allotted).toBe(0)
        }
      }
    } finally {
      await child.kill()
    }
  }, 300_000)
})

const SPENDER_CAP = 1_000_000_000

async function spender(engine: EngineUnderTest) {
  const place = await engine.place()
  const storage = await engine.open(place)
  const { uid } = await storage.budgets.create(budgetDraft({ capNanos: SPENDER_CAP }), auditEntry())
  return { place, storage, budgetUid: uid }
}

describe.each(['SQLite', 'PostgreSQL'])('pollux backup and pollux restore on %s', kind => {
  const isMissing = kind === 'PostgreSQL' && postgresMissing !== null
  const masterKey = MASTER_KEYS[0] ?? ''
  let pollux: Pollux
  let other: Pollux | null = null
  const database = async (): Promise<Record<string, string>> =>
    kind === 'SQLite' ? {} : { POLLUX_DATABASE_URL: socketUrl(await postgres().url()) }
  afterAll(async () => {
    if (isMissing) return
    await pollux.stop()
    await other?.stop()
  })

  test.skipIf(isMissing)(
    'work beside a server under load, and the cap holds afterwards',
    async () => {
      const env = { ...(await database()), POLLUX_MASTER_KEY: masterKey }
      pollux = await startPollux({ env })
      const { client, origin, firstKeyString } = pollux
      const params = { project: 'default-project' }
      const cap = '20000000'
      await client.call(PROJECT_BUDGETS_V1.createBudget, {
        params,
        query: { budgetId: 'total' },
        body: { cap },
      })
      const statuses: number[] = []
      const loaded = new AbortController()
      const load = async (): Promise<void> => {
        while (!loaded.signal.aborted) statuses.push(await callOnce(origin, firstKeyString ?? ''))
      }
      const loads = times(4, 0).map(load)
      const file = `${freshFolder()}.gz`
      const here = { ...env, POLLUX_DATA_DIR: pollux.dataDir }
      const backedUp = await runProgram(['backup', file], here)
      loaded.abort()
      await Promise.all(loads)
      expect(statuses).toContain(200)
      expect(backedUp).toMatchObject({ code: 0, out: expect.stringContaining('The master key is not in it') })
      const dataDir = freshFolder()
      const there = { ...(await database()), POLLUX_MASTER_KEY: masterKey, POLLUX_DATA_DIR: dataDir }
      const restored = await runProgram(['restore', file], there)
      expect(restored.err).toBe('')
      expect(restored).toMatchObject({ code: 0, out: expect.stringContaining('no differences') })
      other = await startPollux({ env: there, dataDir })
      // The key of before, and a budget that knows what it spent: used up to the cap, and not further.
      while ((await callOnce(other.origin, firstKeyString ?? '')) === 200);
      expect(await callOnce(other.origin, firstKeyString ?? '')).toBe(402)
      const { budgets } = await other.client.call(PROJECT_BUDGETS_V1.listBudgets, { params })
      expect(Number(budgets[0]?.posted)).toBeLessThanOrEqual(Number(cap))
      const verify = { POLLUX_URL: other.origin, POLLUX_DATA_DIR: dataDir }
      expect((await runProgram(['ledger', 'verify'], verify)).code).toBe(0)
      expect((await runProgram(['audit', 'verify'], verify)).code).toBe(0)
      expect((await other.client.call(POLLUX_V1.listKeys, { params, query: {} })).keys).toHaveLength(1)
    },
    180_000,
  )
})

async function callOnce(origin: string, keyString: string): Promise<number> {
  const response = await fetch(`${origin}/v1beta/models/gemini-3.8-flash:generateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': keyString, 'content-type': 'application/json' },
    body: JSON.stringify({
      contents: [{ parts: [{ text: 'Say something' }] }],
      generationConfig: { maxOutputTokens: 256 },
    }),
  })
  await response.text()
  return response.status
}
