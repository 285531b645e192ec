/** A disk without space under the data folder: nothing is served that could not be recorded, and nothing breaks. */
import { execFileSync } from 'node:child_process'
import { open, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { ceiling } from './ceiling.ts'
import { type Pollux, startPollux } from './pollux.ts'
import { recordsOfCalls } from './records.ts'
import { type Sent, send } from './traffic.ts'

const DISK_MEBIBYTES = 24
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

  async function fill(): Promise<void> {
    const file = await open(filler, 'w')
    try {
      for (;;) await file.write(PAGE)
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' })
    } finally {
      await file.close()
    }
  }

  test('no call is let in, reading goes on; with space again all is served, and nothing was lost or doubled', async () => {
    const keyString = pollux.firstKeyString ?? ''
    const sent: Sent[] = []
    /** A reply whose usage could not be recorded in time is cut, and `send` rejects. */
    const call = async (): Promise<number> => {
      const reply = await send(pollux.origin, { keyString }).catch(() => null)
      if (reply !== null) sent.push(reply)
      return reply?.status ?? 0
    }
    expect(await call()).toBe(200)
    await fill()
    // What is open already has room in pages that are there; soon there are none.
    while ((await call()) === 200);
    const refused = await Promise.all([call(), call(), call()])
    expect(refused.filter(status => status === 200)).toEqual([])
    const keys = await pollux.client.call(POLLUX_V1.listKeys, {
      params: { project: 'default-project' },
      query: {},
    })
    expect(keys.keys).toHaveLength(1)
    expect((await fetch(`${pollux.origin}/readyz`)).status).toBe(503)

    await rm(filler)
    const freedMs = performance.now()
    while ((await call()) !== 200) await delay(20)
    expect(performance.now() - freedMs).toBeLessThan(ceiling(2_000))
    const good = sent.filter(({ status }) => status === 200).map(({ requestId }) => requestId)
    const records = await recordsOfCalls(pollux.dataDir, good)
    expect(records.map(({ call_id }) => call_id).sort()).toEqual(good.sort())
    expect(await pollux.kill('SIGTERM')).toBe(0)
    const database = new DatabaseSync(join(pollux.dataDir, 'pollux.sqlite'), { readOnly: true })
    expect(database.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    database.close()
  }, 60_000)
})
