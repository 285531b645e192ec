/**
 * Ends Pollux with SIGKILL at random moments under load, again and again on the same data folder, and compares what
 * clients were told with what is in the books. `node bench/kills.ts [kills] [sqlite|postgres] [seed]`; exits with 1
 * when usage was lost, doubled or altered, when a report is not the sum of the records, or when restarts are slow.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client as PostgresClient } from 'pg'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { USAGE_GRANULARITIES, type UsageGranularity } from '../src/domain/usage.ts'
import { startSandbox } from '../src/sandbox/server.ts'
import { type Pollux, freePort, startPollux } from '../test/pollux.ts'
import { socketUrl, startPostgres } from '../test/postgres.ts'
import { readRecords } from '../test/records.ts'
import { type Acknowledged, seededRandom, startClients } from './acknowledged.ts'

const CREDENTIAL = 'upstream-credential-of-the-kills'
const CLIENTS = 16
/** Range of the time a process is left to live after its first good reply. */
const LIFE_MS = { min: 20, max: 900 }
export const RESTART_MEDIAN_MS_MAX = 2_000

export interface KillsOptions {
  readonly kills: number
  readonly engine: 'sqlite' | 'postgres'
  readonly seed: number
}

export interface KillsResult {
  readonly acknowledged: number
  readonly records: number
  /** Request ids whose whole reply a client has, but that no record has. */
  readonly lost: readonly string[]
  /** Request ids of more than one record. */
  readonly doubled: readonly string[]
  /** Request ids whose record holds other counts than the client was told. */
  readonly unequal: readonly string[]
  /** Where a report is not the sum of the records. */
  readonly rollupErrors: readonly string[]
  /** From spawn to the first good reply, for each start after a kill, sorted. */
  readonly restartsMs: readonly number[]
  /** Kills that found calls under way. */
  readonly killsUnderLoad: number
}

/** A record as it lies in the database. */
type Row = Readonly<Record<(typeof ROW_COLUMNS)[number], string | number>>

const ROW_COLUMNS = [
  'call_id',
  'start_time',
  'key_uid',
  'model',
  'method',
  'outcome',
  'http_status',
  'prompt_tokens',
  'cached_tokens',
  'tool_use_prompt_tokens',
  'candidates_tokens',
  'thoughts_tokens',
  'total_tokens',
  'request_bytes',
  'response_bytes',
] as const

interface Place {
  readonly dataDir: string
  readonly env: Readonly<Record<string, string>>
  readRows(): Promise<readonly Row[]>
  remove(): Promise<void>
}

/** Runs the whole experiment. The upstream is a sandbox in this process, so it outlives every kill. */
export async function proveKills(options: KillsOptions): Promise<KillsResult> {
  const random = seededRandom(options.seed)
  const sandbox = await startSandbox({ credential: CREDENTIAL })
  const place = options.engine === 'sqlite' ? await sqlitePlace() : await postgresPlace()
  const env = { ...place.env, POLLUX_GEMINI_BASE_URL: sandbox.origin, GEMINI_API_KEY: CREDENTIAL }
  const port = await freePort()
  const start = (): Promise<Pollux> => startPollux({ env, port, dataDir: place.dataDir })
  let pollux = await start()
  try {
    const key = await pollux.client.call(POLLUX_V1.createKey, {
      params: { project: 'default-project' },
      query: { keyId: 'kills' },
      body: {},
    })
    const clients = startClients({
      origin: pollux.origin,
      keyString: key.keyString ?? '',
      count: CLIENTS,
      random,
    })
    const restartsMs: number[] = []
    let killsUnderLoad = 0
    for (let kill = 1; kill <= options.kills; kill++) {
      await clients.firstReply()
      await delay(LIFE_MS.min + random() * (LIFE_MS.max - LIFE_MS.min))
      if (clients.underWay() > 0) killsUnderLoad++
      await pollux.kill('SIGKILL')
      clients.serverGone()
      const spawnedMs = performance.now()
      const [started] = await Promise.all([start(), clients.firstReply()])
      restartsMs.push(performance.now() - spawnedMs)
      pollux = started
    }
    const acknowledged = await clients.stop()
    const rollups = await rollupReader(pollux)
    const rows = await place.readRows()
    restartsMs.sort((a, b) => a - b)
    return {
      ...compare(acknowledged, rows),
      rollupErrors: USAGE_GRANULARITIES.flatMap(width => rollupErrors(rollups[width], rows, width)),
      restartsMs,
      killsUnderLoad,
    }
  } finally {
    await pollux.stop()
    await place.remove()
    await sandbox.close()
  }
}

async function sqlitePlace(): Promise<Place> {
  const dataDir = await mkdtemp(join(tmpdir(), 'pollux-kills-'))
  return {
    dataDir,
    env: {},
    readRows: async () => readRecords(dataDir),
    remove: () => rm(dataDir, { recursive: true, force: true }),
  }
}

async function postgresPlace(): Promise<Place> {
  const server = await startPostgres()
  if ('skip' in server) throw new Error(server.skip)
  const dataDir = await mkdtemp(join(tmpdir(), 'pollux-kills-'))
  const url = await server.url()
  return {
    dataDir,
    env: { POLLUX_DATABASE_URL: socketUrl(url) },
    async readRows() {
      const client = new PostgresClient({ connectionString: url })
      await client.connect()
      const tables = await client.query<{ name: string }>(
        "select c.relname as name from pg_class c where c.relname ~ '^usage_record_[0-9]{6}$' and c.relkind = 'r'",
      )
      const rows: Row[] = []
      for (const { name } of tables.rows) {
        const found = await client.query<Record<string, string | number>>(
          `select ${ROW_COLUMNS.join(', ')} from ${name}`,
        )
        // bigint columns come as text
        for (const row of found.rows) rows.push(withNumbers(row))
      }
      await client.end()
      return rows
    },
    async remove() {
      await server.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

const TEXT_COLUMNS: ReadonlySet<string> = new Set(['call_id', 'key_uid', 'model', 'method', 'outcome'])

function withNumbers(row: Readonly<Record<string, string | number>>): Row {
  const entries = Object.entries(row).map(([name, value]) => [
    name,
    TEXT_COLUMNS.has(name) ? value : Number(value),
  ])
  return Object.fromEntries(entries) as Row
}

function compare(
  acknowledged: ReadonlyMap<string, Acknowledged>,
  rows: readonly Row[],
): Pick<KillsResult, 'acknowledged' | 'records' | 'lost' | 'doubled' | 'unequal'> {
  const byCall = new Map<string, Row>()
  const doubled: string[] = []
  for (const row of rows) {
    const callId = String(row.call_id)
    if (byCall.has(callId)) doubled.push(callId)
    byCall.set(callId, row)
  }
  const lost: string[] = []
  const unequal: string[] = []
  for (const [callId, told] of acknowledged) {
    const row = byCall.get(callId)
    if (row === undefined) lost.push(callId)
    else if (!isEqual(row, told)) unequal.push(callId)
  }
  return { acknowledged: acknowledged.size, records: rows.length, lost, doubled, unequal }
}

function isEqual(row: Row, told: Acknowledged): boolean {
  return (
    row.outcome === 'posted' &&
    row.http_status === 200 &&
    row.prompt_tokens === told.promptTokens &&
    row.candidates_tokens === told.candidatesTokens &&
    row.thoughts_tokens === told.thoughtsTokens &&
    row.total_tokens === told.totalTokens
  )
}

const WIDTH_MS: Readonly<Record<UsageGranularity, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
}

/** Sum names of a report beside the columns they are sums of. */
const SUMS = {
  promptTokens: 'prompt_tokens',
  cachedTokens: 'cached_tokens',
  toolUsePromptTokens: 'tool_use_prompt_tokens',
  candidatesTokens: 'candidates_tokens',
  thoughtsTokens: 'thoughts_tokens',
  totalTokens: 'total_tokens',
  requestBytes: 'request_bytes',
  responseBytes: 'response_bytes',
} as const

type Sums = Record<'calls' | 'errors' | 'estimated' | keyof typeof SUMS, number>
type Rollup = ReadonlyMap<string, Sums>

/** The reports in all widths, taken once no call is open any more: then no record can join between report and count. */
async function rollupReader(pollux: Pollux): Promise<Readonly<Record<UsageGranularity, Rollup>>> {
  await noCallOpen(pollux)
  const entries: [UsageGranularity, Rollup][] = []
  for (const granularity of USAGE_GRANULARITIES) {
    const { rows } = await pollux.client.call(POLLUX_V1.getUsage, {
      params: { project: 'default-project' },
      query: {
        granularity,
        groupBy: ['time', 'key', 'model', 'method'],
        startTime: new Date(Date.now() - WIDTH_MS.day).toISOString(),
      },
    })
    const rollup = rows.map(({ time, keyUid, model, method, keyId: _id, keyDisplayName: _name, ...sums }) => {
      const group = [Date.parse(time ?? ''), keyUid, model, method].join(' ')
      return [group, sums] as const
    })
    entries.push([granularity, new Map(rollup)])
  }
  return Object.fromEntries(entries) as Record<UsageGranularity, Rollup>
}

async function noCallOpen(pollux: Pollux): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const metrics = await pollux.client.call(POLLUX_V1.getMetrics, {})
    if (/^pollux_open_calls 0$/m.test(metrics)) return
    await delay(50)
  }
  throw new Error('calls are open although every client has stopped')
}

function rollupErrors(reported: Rollup, rows: readonly Row[], granularity: UsageGranularity): string[] {
  const counted = recount(rows, WIDTH_MS[granularity])
  const errors: string[] = []
  for (const group of new Set([...reported.keys(), ...counted.keys()])) {
    const [left, right] = [reported.get(group), counted.get(group)]
    for (const name of ['calls', 'errors', 'estimated', ...Object.keys(SUMS)] as (keyof Sums)[]) {
      if (left?.[name] !== right?.[name]) {
        errors.push(
          `${granularity} ${group}: ${name} is ${left?.[name]} by the report, ${right?.[name]} by the records`,
        )
      }
    }
  }
  return errors
}

function recount(rows: readonly Row[], widthMs: number): Rollup {
  const groups = new Map<string, Sums>()
  for (const row of rows) {
    const bucketMs = Math.floor(Number(row.start_time) / widthMs) * widthMs
    const group = [bucketMs, row.key_uid, row.model, row.method].join(' ')
    let sums = groups.get(group)
    if (sums === undefined) {
      const zeros = Object.fromEntries(Object.keys(SUMS).map(name => [name, 0])) as Record<
        keyof typeof SUMS,
        number
      >
      groups.set(group, (sums = { calls: 0, errors: 0, estimated: 0, ...zeros }))
    }
    sums.calls++
    if (Number(row.http_status) >= 400) sums.errors++
    if (row.outcome === 'estimated') sums.estimated++
    for (const [name, column] of Object.entries(SUMS)) sums[name as keyof typeof SUMS] += Number(row[column])
  }
  return groups
}

/** What is wrong with a result, a line each; nothing when the promises hold. */
export function violations(result: KillsResult): string[] {
  const found = [
    ...result.lost.map(id => `lost: ${id}`),
    ...result.doubled.map(id => `doubled: ${id}`),
    ...result.unequal.map(id => `other counts than told: ${id}`),
    ...result.rollupErrors,
  ]
  if (result.acknowledged === 0) found.push('no reply was acknowledged, so nothing was shown')
  const medianMs = result.restartsMs[Math.floor(result.restartsMs.length / 2)] ?? Number.NaN
  if (!(medianMs < RESTART_MEDIAN_MS_MAX)) found.push(`median restart took ${Math.round(medianMs)} ms`)
  return found
}

/** The result in one line. */
export function summary(options: KillsOptions, result: KillsResult): string {
  const { restartsMs } = result
  const seconds = (ms: number | undefined): string => ((ms ?? Number.NaN) / 1000).toFixed(2)
  return (
    `kills on ${options.engine}: ${options.kills} kills (${result.killsUnderLoad} with calls under way), ` +
    `${result.acknowledged} replies acknowledged, ${result.records} records, ${result.lost.length} lost, ` +
    `${result.doubled.length} doubled, ${result.unequal.length} unequal, ${result.rollupErrors.length} rollup errors; ` +
    `restart median ${seconds(restartsMs[Math.floor(restartsMs.length / 2)])} s, max ${seconds(restartsMs.at(-1))} s; ` +
    `seed ${options.seed}`
  )
}

if (import.meta.main) {
  const [kills = '100', engine = 'sqlite', seed = String(Date.now() % 1_000_000)] = process.argv.slice(2)
  if (engine !== 'sqlite' && engine !== 'postgres')
    throw new Error(`engine ${engine}: must be sqlite or postgres`)
  const options = { kills: Number(kills), engine, seed: Number(seed) } as const
  const result = await proveKills(options)
  console.log(summary(options, result))
  for (const violation of violations(result).slice(0, 50)) console.error(violation)
  process.exitCode = violations(result).length === 0 ? 0 : 1
}
