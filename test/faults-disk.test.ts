/** A disk without space under the data folder: nothing is served that could not be recorded, and nothing breaks. */
import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { open, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../src/contract/client.ts'
import { LEDGER_V1, PROJECT_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { ceiling } from './ceiling.ts'
import { type Pollux, startPollux } from './pollux.ts'
import { recordsOfCalls } from './records.ts'
import { type Sent, send } from './traffic.ts'

const DISK_MEBIBYTES = 32
const params = { project: 'default-project' }
const GEMINI = { service: 'generativelanguage.googleapis.com' }
const PAGE = Buffer.alloc(4_096, 1)

/** Only root may mount a small disk. */
const folder = process.getuid?.() === 0 ? await mountedFolder() : null

async function mountedFolder(): Promise<string | null> {
  const path = await mkdtemp(join(tmpdir(), 'pollux-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MEBIBYTES}m`, 'tmpfs', path], {
      stdio: 'ignore',
    })
    return path
  } catch {
    await rm(path, { recursive: true })
    return null
  }
}

describe.skipIf(folder === null)('a disk that is full', () => {
  const disk = folder ?? ''
  const filler = join(disk, 'filler')
  let pollux: Pollux
  beforeAll(async () => {
    pollux = await startPollux({ dataDir: join(disk, 'data') })
  })
  afterAll(async () => {
    await pollux.kill('SIGKILL')
    execFileSync('umount', [disk])
    await rm(disk, { recursive: true })
  })

  /** Takes all the room there is. */
  async function fill(): Promise<void> {
    const file = await open(filler, 'a')
    try {
      for (;;) await file.write(PAGE)
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' })
    } finally {
      await file.close()
    }
  }

  async function makeKey(keyId: string): Promise<string> {
    const made = await pollux.client.call(POLLUX_V1.createKey, {
      params,
      query: { keyId },
      body: { restrictions: { apiTargets: [GEMINI] } },
    })
    return made.keyString ?? ''
  }

  test('no call is let in, reading and revocation go on; with space again all is served, and nothing was lost or doubled', async () => {
    const keyString = pollux.firstKeyString ?? ''
    const keyIds = ['disabled', 'deleted', 'restricted'] as const
    const revoked: string[] = []
    for (const keyId of keyIds) revoked.push(await makeKey(keyId))
    const cap = { query: { budgetId: 'total' }, body: { cap: '900000000' } } as const
    await pollux.client.call(PROJECT_BUDGETS_V1.createBudget, { params, ...cap })
    const ballast = join(pollux.dataDir, 'pollux.sqlite-ballast')
    const whole = statSync(ballast).size
    const sent: Sent[] = []
    /** A reply whose usage could not be recorded in time is cut, and `send` rejects. */
    const call = async (key = keyString): Promise<number> => {
      const reply = await send(pollux.origin, { keyString: key }).catch(() => null)
      if (reply !== null) sent.push(reply)
      return reply?.status ?? 0
    }
    expect(await Promise.all([keyString, ...revoked].map(call))).toEqual([200, 200, 200, 200])
    await fill()
    // What is open already has room in pages that are there; soon there are none.
    while ((await call()) === 200);
    const refused = await Promise.all([call(), call(), call()])
    expect(refused.filter(status => status === 200)).toEqual([])
    const keys = await pollux.client.call(POLLUX_V1.listKeys, { params, query: {} })
    expect(keys.keys).toHaveLength(1 + revoked.length)
    expect((await fetch(`${pollux.origin}/readyz`)).status).toBe(503)

    const manage: Client['call'] = (...args) => pollux.client.call(...args)
    const [disabled, deleted, restricted] = keyIds.map(key => ({ params: { ...params, key } }))
    if (disabled === undefined || deleted === undefined || restricted === undefined)
      throw new Error('no keys')
    const restrictions = { apiTargets: [{ ...GEMINI, methods: ['CountTokens'] }] }
    const changes = [
      () => manage(POLLUX_V1.disableKey, { ...disabled, body: {} }),
      () => manage(POLLUX_V1.deleteKey, { ...deleted, query: {} }),
      () =>
        manage(POLLUX_V1.updateKey, {
          ...restricted,
          query: { updateMask: 'restrictions' },
          body: { restrictions },
        }),
      // So many that what each of them writes to the log would not fit into the room that is kept.
      ...Array.from(
        { length: 400 },
        (_, turn) => () =>
          manage(turn % 2 === 0 ? POLLUX_V1.enableKey : POLLUX_V1.disableKey, { ...disabled, body: {} }),
      ),
    ]
    const duringChanges: number[] = []
    for (const change of changes) {
      await fill()
      const [status] = await Promise.all([call(), change()])
      duringChanges.push(status)
    }
    expect(duringChanges.filter(status => status === 200)).toEqual([])
    expect(statSync(ballast).size).toBeLessThan(whole)
    expect((await fetch(`${pollux.origin}/readyz`)).status).toBe(503)

    await rm(filler)
    const freedMs = performance.now()
    while ((await call()) !== 200) await delay(20)
    expect(performance.now() - freedMs).toBeLessThan(ceiling(2_000))
    expect(await Promise.all(revoked.map(call))).toEqual([400, 400, 403])
    expect(statSync(ballast).size).toBe(whole)
    const { drifts, overruns } = await manage(LEDGER_V1.verifyLedger, { body: {} })
    expect([drifts, overruns]).toEqual([[], 0])
    const good = sent.filter(({ status }) => status === 200).map(({ requestId }) => requestId)
    const records = await recordsOfCalls(pollux.dataDir, good)
    expect(records.map(({ call_id }) => call_id).sort()).toEqual(good.sort())
    expect(await pollux.kill('SIGTERM')).toBe(0)
    const database = new DatabaseSync(join(pollux.dataDir, 'pollux.sqlite'), { readOnly: true })
    expect(database.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    database.close()
  }, 120_000)
})
