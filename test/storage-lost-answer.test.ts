/** A commit that happened although its answer never came: the same message again must change nothing. */
import type { Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Standing, TakeAnswer } from '../src/domain/ledger.ts'
import { Escrow } from '../src/gateway/escrow.ts'
import type { Change } from '../src/storage/storage.ts'
import {
  auditEntry,
  budgetDraft,
  describeOnPostgres,
  freshFolder,
  postgres,
  usageRecord,
} from './storage-fixture.ts'

const closing: (() => void)[] = []
afterAll(() => closing.forEach(close => close()))

/** Stands between a pool and the server; cuts a connection when the answer to a statement it waits for arrives. */
async function startCutter(url: string) {
  const real = new URL(url.replace('@/', '@host/')).searchParams.get('host') ?? ''
  const folder = mkdtempSync(join(tmpdir(), 'pollux-cut-'))
  const sockets = new Set<Socket>()
  let [wanted, cuts, statement] = [0, 0, '']
  let isHolding = false
  let deliver = (): void => {}
  const server: Server = createServer(near => {
    const far = connect(join(real, '.s.PGSQL.5432'))
    let isCutting = false
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        near.destroy()
        if (!isHolding) far.destroy()
      })
    }
    near.on('data', chunk => {
      if (isHolding && chunk.includes(statement)) {
        deliver = () => far.write(chunk)
        near.destroy()
        return
      }
      if (wanted > 0 && chunk.includes(statement)) {
        wanted -= 1
        isCutting = true
      }
      far.write(chunk)
    })
    far.on('data', chunk => {
      if (!isCutting) near.write(chunk)
      else {
        cuts += 1
        near.destroy()
      }
    })
  })
  server.listen(join(folder, '.s.PGSQL.5432'))
  await once(server, 'listening')
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    url: url.replace(encodeURIComponent(real), encodeURIComponent(folder)),
    cuts: () => cuts,
    /** The answers to the next `times` of these statements are lost. */
    cut(what: string, times: number) {
      statement = what
      wanted = times
    },
    /** The next of these statements loses its connection on the way, and arrives when `deliver` is called. */
    hold(what: string) {
      statement = what
      isHolding = true
    },
    deliver() {
      isHolding = false
      deliver()
    },
  }
}

const spend = (standings: readonly Standing[], part: object) =>
  [
    usageRecord({
      ledger: standings.map(({ rowId }) => rowId),
      costNanos: 10,
      postedNanos: 10,
      heldNanos: 10,
      ...part,
    }),
    standings.map(({ allotment }) => ({ allotmentId: allotment?.id ?? '', nanos: 10 })),
  ] as const

describeOnPostgres('usage whose answer is lost', engine => {
  test.each([
    ['commit', 1],
    ['commit', 3],
    ['update allotment', 1],
    ['usage_record_202611', 2],
  ])(
    'is posted once, settled once and overrun once (the answer to %s, %d times)',
    async (statement, times) => {
      const cutter = await startCutter(await postgres().url())
      const storage = await engine.open({
        engine: { kind: 'postgres', url: cutter.url },
        dataDir: freshFolder(),
      })
      const made = await storage.budgets.create(budgetDraft({ capNanos: 1_000 }), auditEntry())
      const take = { budgetUid: made.uid, minNanos: 100, wantNanos: 100 }
      const { standings } = await storage.ledger.take([take])
      // The month is there already: the statements that are cut are those of the commit itself.
      await storage.usage.append(...spend(standings, {}))
      const changes: Change[] = []
      storage.onChange(change => changes.push(change))
      for (const part of [{}, { costNanos: 15 }, { startTimeMs: Date.UTC(2026, 11, 21) }]) {
        cutter.cut(statement, times)
        const before = cutter.cuts()
        await Promise.all([
          storage.usage.append(...spend(standings, part)),
          storage.usage.append(...spend(standings, {})),
        ])
        expect(cutter.cuts() - before).toBe(times)
      }
      cutter.cut('', 0)
      const { drifts, recordsChecked, overruns } = await storage.ledger.verify()
      expect([drifts, recordsChecked, overruns]).toEqual([[], 7, 1])
      const [status] = await storage.budgets.list({})
      expect(status).toMatchObject({
        frozenTimeMs: expect.any(Number),
        balance: { postedNanos: 70, allottedNanos: 30, overrunNanos: 5 },
      })
      expect(changes).toContainEqual({ kind: 'all' })
    },
    30_000,
  )
})

describeOnPostgres('a take whose commit arrives late', engine => {
  test('is not asked about before that has ended, so that what it was granted is known and goes back', async () => {
    const cutter = await startCutter(await postgres().url())
    const storage = await engine.open({
      engine: { kind: 'postgres', url: cutter.url },
      dataDir: freshFolder(),
    })
    const { uid: budgetUid } = await storage.budgets.create(budgetDraft({ capNanos: 1_000 }), auditEntry())
    const escrow = new Escrow(storage.ledger)
    const learnt: Standing[] = []
    const learn = ({ standings }: TakeAnswer): void => void learnt.push(...standings)
    cutter.hold('commit')
    await expect(escrow.take(() => [{ budgetUid, minNanos: 100, wantNanos: 100 }], learn)).rejects.toThrow()
    // Neither what wants nothing nor what is refused has seen it.
    await escrow.resolveDoubts(learn).catch(() => {})
    await escrow.take(() => [{ budgetUid, minNanos: 2_000, wantNanos: 2_000 }], learn)
    cutter.deliver()
    await expect
      .poll(
        async () => {
          await escrow.resolveDoubts(learn).catch(() => {})
          return learnt.at(-1)?.allotment
        },
        { timeout: 10_000 },
      )
      .toMatchObject({ grantedNanos: 100 })
    const ids = learnt.flatMap(({ allotment }) => allotment?.id ?? [])
    await storage.ledger.close([...new Set(ids)])
    const [status] = await storage.budgets.list({})
    expect(status).toMatchObject({ balance: { allottedNanos: 0, postedNanos: 0 } })
  })
})
