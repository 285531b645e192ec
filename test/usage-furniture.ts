/** A month of usage for the console's screens: sums as they are after folding, of calls that nobody has to make. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Page } from 'playwright-core'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { SUM_COLUMNS } from '../src/storage/usage-sums.ts'
import type { Pollux } from './pollux.ts'

const DAY_MS = 86_400_000
const DAYS = 45
/** Each with its share of a day's calls and what one of them costs, nano-dollars. */
const MODELS = [
  { model: 'gemini-3.8-flash', calls: 420, costNanos: 900_000 },
  { model: 'gemini-3.5-pro', calls: 60, costNanos: 11_000_000 },
  { model: 'gemini-3.5-flash-lite', calls: 700, costNanos: 120_000 },
] as const
const KEYS = [
  { key: 'storefront', environment: 'production', share: 0.6 },
  { key: 'order-service', environment: 'production', share: 0.3 },
  { key: 'nightly-reports', environment: 'staging', share: 0.1 },
] as const
/** Days before today on which something called too often. */
const SPIKE_DAYS_AGO = 11
const TOKENS_PER_CALL = 640

export const USAGE_SCREENS = [
  { name: 'usage', path: '/usage' },
  { name: 'usage-keys', path: '/usage?group=key&metric=calls&project=web-shop' },
  {
    name: 'usage-table',
    path: '/usage?metric=tokens&group=environment&range=7d',
    prepare: (page: Page) => page.getByRole('button', { name: 'Show table' }).click(),
  },
  { name: 'usage-empty', path: '/usage?project=research' },
] as const

/** Adds the sums to the database of a Pollux that has the furniture's keys. */
export async function addUsage({ client, dataDir }: Pollux): Promise<void> {
  const params = { project: 'web-shop' }
  const { keys = [] } = await client.call(POLLUX_V1.listKeys, { params, query: {} })
  const database = new DatabaseSync(join(dataDir, 'pollux.sqlite'), { timeout: 5_000 })
  const today = Math.floor(Date.now() / DAY_MS)
  database.exec('begin immediate')
  for (let ago = 1; ago <= DAYS; ago++) {
    const startMs = (today - ago) * DAY_MS
    const weekday = new Date(startMs).getUTCDay()
    const busy =
      (weekday === 0 || weekday === 6 ? 0.45 : 1) * (1 + Math.sin(ago) / 6) * (ago === SPIKE_DAYS_AGO ? 4 : 1)
    for (const { key, environment, share } of KEYS) {
      const { uid = '', name = '' } = keys.find(({ name }) => name.endsWith(`/${key}`)) ?? {}
      for (const { model, calls, costNanos } of MODELS) {
        for (const status of [200, 429]) {
          const count = Math.round(calls * share * busy * (status === 200 ? 1 : 0.03))
          const group = {
            project_number: name.split('/')[1] ?? '',
            bucket_time: startMs,
            model,
            method: 'GenerateContent',
            http_status: status,
          }
          const sums = sumsOf(count, status === 200 ? costNanos : 0)
          insert(database, 'usage_day', { ...group, key_uid: uid, ...sums })
          insert(database, 'usage_project_day', { ...group, environment, ...sums })
        }
      }
    }
  }
  database.exec('commit')
  database.close()
}

interface DayOfCalls {
  readonly keyId: string
  readonly model: string
  readonly daysAgo: number
  readonly calls: number
  readonly tokens: number
}

/** Adds days of calls without a price to keys of a project. */
export async function addDays(
  { client, dataDir }: Pollux,
  project: string,
  days: readonly DayOfCalls[],
): Promise<void> {
  const { keys = [] } = await client.call(POLLUX_V1.listKeys, { params: { project }, query: {} })
  const database = new DatabaseSync(join(dataDir, 'pollux.sqlite'), { timeout: 5_000 })
  for (const { keyId, model, daysAgo, calls, tokens } of days) {
    const { uid = '', name = '' } = keys.find(({ name }) => name.endsWith(`/${keyId}`)) ?? {}
    const group = {
      project_number: name.split('/')[1] ?? '',
      bucket_time: (Math.floor(Date.now() / DAY_MS) - daysAgo) * DAY_MS,
      method: 'GenerateContent',
      http_status: 200,
    }
    const sums = { ...sumsOf(calls, 0), total_tokens: tokens }
    insert(database, 'usage_day', { ...group, model, key_uid: uid, ...sums })
    // One model for each key, so that no two share a row without keys.
    insert(database, 'usage_project_day', { ...group, model, environment: '', ...sums })
  }
  database.close()
}

function sumsOf(calls: number, costNanos: number): Readonly<Record<string, number>> {
  const isPaid = costNanos > 0
  return {
    ...Object.fromEntries(SUM_COLUMNS.map(name => [name, 0])),
    calls,
    errors: isPaid ? 0 : calls,
    prompt_tokens: isPaid ? calls * (TOKENS_PER_CALL - 260) : 0,
    cached_tokens: isPaid ? calls * 90 : 0,
    candidates_tokens: isPaid ? calls * 200 : 0,
    thoughts_tokens: isPaid ? calls * 60 : 0,
    total_tokens: isPaid ? calls * TOKENS_PER_CALL : 0,
    image_tokens: isPaid ? calls * 40 : 0,
    request_bytes: calls * 1_400,
    response_bytes: calls * 5_200,
    cost_nanos: calls * costNanos,
    duration_ms: calls * 820,
    duration_max_ms: 6_400,
  }
}

/** A bucket that is there already stays as it is. */
function insert(database: DatabaseSync, table: string, row: Readonly<Record<string, string | number>>): void {
  const columns = Object.keys(row)
  database
    .prepare(
      `insert or ignore into ${table} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`,
    )
    .run(...Object.values(row))
}
