/** Prints how many usage records a second the storage makes durable, at 64 concurrent appends on either engine. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { UsageRecord } from '../src/domain/usage.ts'
import type { EngineChoice } from '../src/storage/engine.ts'
import { openStorage } from '../src/storage/open.ts'
import { startPostgres } from '../test/postgres.ts'

const CONCURRENT = 64
const RUN_MS = 4_000
const KEYS = 100

function sample(number: number): UsageRecord {
  return {
    callId: `call-${number}`,
    startTimeMs: Date.now(),
    durationMs: 812,
    firstByteMs: 320,
    projectNumber: '415104041262',
    keyUid: `2f6c1c4e-5b7d-4d6a-9a51-${String(number % KEYS).padStart(12, '0')}`,
    method: 'GenerateContent',
    model: 'gemini-2.5-flash',
    modelVersion: 'gemini-2.5-flash',
    outcome: 'posted',
    httpStatus: 200,
    usage: {
      promptTokens: 120,
      cachedTokens: 0,
      toolUsePromptTokens: 0,
      candidatesTokens: 340,
      thoughtsTokens: 55,
      totalTokens: 515,
      details: {
        prompt: [{ modality: 'TEXT', tokenCount: 120 }],
        cached: [],
        toolUsePrompt: [],
        candidates: [{ modality: 'TEXT', tokenCount: 340 }],
      },
      serviceTier: 'standard',
    },
    requestBytes: 1_460,
    responseBytes: 5_210,
    costNanos: 1_023_500,
    priceBasisPoints: 10_000,
    postedNanos: 0,
    heldNanos: 0,
    ledger: [],
    clampedOutputTokens: null,
    receivedUs: null,
    admittedUs: null,
    lastByteUs: null,
  }
}

async function measure(engine: EngineChoice, dataDir: string): Promise<void> {
  const storage = await openStorage({ engine, dataDir })
  let appended = 0
  const startMs = performance.now()
  const startCpu = process.cpuUsage()
  const appendUntilEnd = async (): Promise<void> => {
    while (performance.now() - startMs < RUN_MS) {
      await storage.usage.append(sample(appended), [])
      appended += 1
    }
  }
  await Promise.all(Array.from({ length: CONCURRENT }, appendUntilEnd))
  const seconds = (performance.now() - startMs) / 1_000
  const { user, system } = process.cpuUsage(startCpu)
  const cpuSeconds = (user + system) / 1e6
  console.log(
    `${engine.kind.padEnd(9)} ${Math.round(appended / seconds)} records/s, ` +
      `${Math.round(appended / cpuSeconds)} records per second of this process's CPU`,
  )
  await storage.close()
}

const folder = await mkdtemp(join(tmpdir(), 'pollux-bench-'))
try {
  await measure({ kind: 'sqlite', path: join(folder, 'pollux.db') }, join(folder, 'sqlite'))
  const postgres = await startPostgres()
  if ('skip' in postgres) {
    console.log(`postgres  not measured: ${postgres.skip}`)
  } else {
    await measure({ kind: 'postgres', url: await postgres.url() }, join(folder, 'postgres'))
    await postgres.stop()
  }
} finally {
  await rm(folder, { recursive: true })
}
