/**
 * A process that the storage tests kill. `open`: opens a storage, prints `open` or the refusal as JSON, and waits.
 * `append`: opens one and appends usage records without end, writing the id of each to a file once it is acknowledged.
 * `spend`: the same with money: each call is held on a budget, journaled, and settled for less. `hold`: journals as many
 * calls as it is told to, settles every other one, prints `held`, and waits. `audit`: appends as many audit entries as it
 * is told to, several at a time, prints `done`, and waits. `rekey`: begins to change the master key, prints `open` and goes on.
 */
import { openSync, writeSync } from 'node:fs'
import { systemEntry } from '../src/domain/audit.ts'
import { ApiError } from '../src/domain/error.ts'
import type { Charge, OpenHold } from '../src/domain/ledger.ts'
import type { UsageRecord } from '../src/domain/usage.ts'
import { openStorage } from '../src/storage/open.ts'
import type { Storage } from '../src/storage/storage.ts'
import type { Place } from './storage-fixture.ts'

interface Order {
  readonly mode: 'open' | 'append' | 'spend' | 'hold' | 'audit' | 'rekey'
  readonly place: Place
  readonly acknowledgedPath: string
  /** The record to append over and over, under ids that begin with `prefix`. */
  readonly record: UsageRecord
  readonly prefix: string
  /** The budgets to spend from, and how many calls to hold. */
  readonly budgetUids?: readonly string[]
  readonly calls?: number
}

const CONCURRENT = 32

const order = JSON.parse(process.argv[2] ?? '') as Order

async function appendForEver(storage: Storage): Promise<void> {
  const file = openSync(order.acknowledgedPath, 'a')
  let count = 0
  const appendOneByOne = async (): Promise<never> => {
    for (;;) {
      count += 1
      const callId = `${order.prefix}-${count}`
      // Two months, several minutes, models and keys, so that blocks, rollups and parts of a fold all take part.
      const startTimeMs = order.record.startTimeMs + (count % 5) * 60_000 + (count % 2) * 31 * 86_400_000
      const kinds = { model: `model-${count % 3}`, keyUid: `key-${count % 150}` }
      await storage.usage.append({ ...order.record, ...kinds, callId, startTimeMs }, [])
      writeSync(file, `${callId}\n`)
    }
  }
  await Promise.all(Array.from({ length: CONCURRENT }, appendOneByOne))
}

const HELD_NANOS = 10
const COST_NANOS = 7

/** A node as simple as can be: takes what a call holds, call by call, and never gives anything back. */
async function admit(storage: Storage, callId: string): Promise<readonly [UsageRecord, readonly Charge[]]> {
  const takes = (order.budgetUids ?? []).map(budgetUid => ({
    budgetUid,
    minNanos: HELD_NANOS,
    wantNanos: HELD_NANOS,
  }))
  const { taken, standings } = await storage.ledger.take(takes)
  if (!taken) throw new Error('the budget of the test is too small')
  const ledger = standings.map(({ rowId }) => rowId)
  const record = { ...order.record, callId, ledger, heldNanos: HELD_NANOS }
  const allotmentIds = standings.flatMap(({ allotment }) => allotment?.id ?? [])
  await storage.journal.append(holdOf(record, allotmentIds))
  const charges = allotmentIds.map(allotmentId => ({ allotmentId, nanos: COST_NANOS }))
  return [{ ...record, costNanos: COST_NANOS, postedNanos: COST_NANOS }, charges]
}

function holdOf(record: UsageRecord, allotmentIds: readonly string[]): OpenHold {
  const { callId, startTimeMs, projectNumber, keyUid, method, model, ledger } = record
  const { heldNanos, priceBasisPoints } = record
  const call = { callId, startTimeMs, projectNumber, keyUid, method, model }
  return { ...call, heldNanos, priceBasisPoints, ledger, allotmentIds }
}

async function spendForEver(storage: Storage): Promise<void> {
  const file = openSync(order.acknowledgedPath, 'a')
  let count = 0
  const spendOneByOne = async (): Promise<never> => {
    for (;;) {
      count += 1
      const callId = `${order.prefix}-${count}`
      await storage.usage.append(...(await admit(storage, callId)))
      writeSync(file, `${callId}\n`)
    }
  }
  await Promise.all(Array.from({ length: CONCURRENT }, spendOneByOne))
}

async function holdSome(storage: Storage): Promise<void> {
  const calls = Array.from({ length: order.calls ?? 0 }, (_, number) => `${order.prefix}-${number}`)
  const held = await Promise.all(calls.map(callId => admit(storage, callId)))
  await Promise.all(held.filter((_, number) => number % 2 === 0).map(call => storage.usage.append(...call)))
}

async function auditSome(storage: Storage): Promise<void> {
  const entry = systemEntry({ methodName: 'pollux.v1.Test', resourceName: 'test', projectNumber: null })
  const entries = Array.from({ length: order.calls ?? 0 }, () => ({
    ...entry,
    insertId: crypto.randomUUID(),
    principal: order.prefix,
  }))
  await Promise.all(entries.map(entry => storage.audit.append(entry)))
}

async function rekeyAll(storage: Storage): Promise<void> {
  const audit = () =>
    systemEntry({ methodName: 'pollux.v1.Secrets.RekeySecrets', resourceName: 'test', projectNumber: null })
  while ((await storage.secrets.rekey(audit())).remaining > 0);
}

try {
  const storage = await openStorage(order.place)
  if (order.mode === 'hold') await holdSome(storage)
  if (order.mode === 'audit') await auditSome(storage)
  process.stdout.write(order.mode === 'hold' ? 'held\n' : order.mode === 'audit' ? 'done\n' : 'open\n')
  // The open port of the storage thread keeps this process alive until it is killed.
  if (order.mode === 'rekey') await rekeyAll(storage)
  if (order.mode === 'append') await appendForEver(storage)
  if (order.mode === 'spend') await spendForEver(storage)
} catch (error) {
  const { reason, message } = error instanceof ApiError ? error : { reason: 'NONE', message: String(error) }
  process.stdout.write(`${JSON.stringify({ reason, message })}\n`)
}
