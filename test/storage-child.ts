/**
 * A process that the storage tests kill. `open`: opens a storage, prints `open` or the refusal as JSON, and waits.
 * `append`: opens one and appends usage records without end, writing the id of each to a file once it is acknowledged.
 */
import { openSync, writeSync } from 'node:fs'
import { ApiError } from '../src/domain/error.ts'
import type { UsageRecord } from '../src/domain/usage.ts'
import { openStorage } from '../src/storage/open.ts'
import type { Storage } from '../src/storage/storage.ts'
import type { Place } from './storage-fixture.ts'

interface Order {
  readonly mode: 'open' | 'append'
  readonly place: Place
  readonly acknowledgedPath: string
  /** The record to append over and over, under ids that begin with `prefix`. */
  readonly record: UsageRecord
  readonly prefix: string
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
      // Two months, several minutes and models, so that blocks and rollups all take part.
      const startTimeMs = order.record.startTimeMs + (count % 5) * 60_000 + (count % 2) * 31 * 86_400_000
      await storage.usage.append({ ...order.record, callId, startTimeMs, model: `model-${count % 3}` })
      writeSync(file, `${callId}\n`)
    }
  }
  await Promise.all(Array.from({ length: CONCURRENT }, appendOneByOne))
}

try {
  const storage = await openStorage(order.place)
  process.stdout.write('open\n')
  // The open port of the storage thread keeps this process alive until it is killed.
  if (order.mode === 'append') await appendForEver(storage)
} catch (error) {
  const { reason, message } = error instanceof ApiError ? error : { reason: 'NONE', message: String(error) }
  process.stdout.write(`${JSON.stringify({ reason, message })}\n`)
}
