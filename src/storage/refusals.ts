/** Counts of refused calls, by hour. Every node adds to the same rows. */
import { sql } from 'kysely'
import { REFUSAL_REASONS, type RefusalCount } from '../domain/refused-call.ts'
import { QUOTA_METRICS } from '../domain/quota.ts'
import type { Engine, JsonColumn } from './engine.ts'
import type { RefusalQuery, RefusalRemote, RefusalRow } from './quota-store.ts'

const HOUR_MS = 3_600_000
/** Of one report: those that refused most. */
const COUNTS_MAX = 500

const COLUMNS = [
  { name: 'project_number', kind: 'text' },
  { name: 'bucket_time', kind: 'bigint' },
  { name: 'reason', kind: 'text' },
  { name: 'scope', kind: 'text' },
  { name: 'metric', kind: 'text' },
  { name: 'model', kind: 'text' },
  { name: 'key_uid', kind: 'text' },
  { name: 'calls', kind: 'bigint' },
  { name: 'last_time', kind: 'bigint' },
] as const satisfies readonly JsonColumn[]
const KEY_COLUMNS = COLUMNS.slice(0, 7)

export class Refusals implements RefusalRemote {
  readonly #engine: Engine

  constructor(engine: Engine) {
    this.#engine = engine
  }

  async add(rows: readonly RefusalRow[]): Promise<void> {
    // Every node adds in the same order, so none waits for another in a ring.
    const values = rows
      .map(valuesOf)
      .sort(([...one], [...other]) => (one.join(' ') < other.join(' ') ? -1 : 1))
    const columns = sql.join(COLUMNS.map(({ name }) => sql.ref(name)))
    const last = sql`case when excluded.last_time > refusal_hour.last_time then excluded.last_time
      else refusal_hour.last_time end`
    await sql`
      insert into refusal_hour (${columns})
      select ${columns} from ${this.#engine.rowsOf(COLUMNS, JSON.stringify(values))} where true order by position
      on conflict (${sql.join(KEY_COLUMNS.map(({ name }) => sql.ref(name)))}) do update
      set calls = refusal_hour.calls + excluded.calls, last_time = ${last}`.execute(this.#engine.db)
  }

  async report({ projectNumber, startTimeMs, endTimeMs }: RefusalQuery): Promise<readonly RefusalCount[]> {
    const rows = await this.#engine.db
      .selectFrom('refusal_hour')
      .select(['reason', 'scope', 'metric', 'model', 'key_uid'])
      .select(row => [row.fn.sum<number | string>('calls').as('sum'), row.fn.max('last_time').as('last')])
      .where('project_number', '=', projectNumber)
      .where('bucket_time', '>', startTimeMs - HOUR_MS)
      .where('bucket_time', '<', endTimeMs)
      .groupBy(['reason', 'scope', 'metric', 'model', 'key_uid'])
      .orderBy('sum', 'desc')
      .orderBy('last', 'desc')
      .limit(COUNTS_MAX)
      .execute()
    return rows.flatMap(({ reason, scope, metric, model, key_uid: keyUid, sum, last }) => {
      const known = REFUSAL_REASONS.find(name => name === reason)
      // A reason that this program does not know is of a newer one.
      if (known === undefined) return []
      return {
        reason: known,
        scope: scope === 'project' || scope === 'key' ? scope : null,
        metric: QUOTA_METRICS.find(name => name === metric) ?? null,
        model,
        keyUid,
        calls: Number(sum),
        lastTimeMs: last,
      }
    })
  }

  async purge(beforeMs: number): Promise<number> {
    const { numDeletedRows } = await this.#engine.db
      .deleteFrom('refusal_hour')
      .where('bucket_time', '<', beforeMs)
      .executeTakeFirst()
    return Number(numDeletedRows)
  }
}

function valuesOf(row: RefusalRow): (string | number)[] {
  const { projectNumber, bucketTimeMs, reason, scope, metric, model, keyUid, calls, lastTimeMs } = row
  return [projectNumber, bucketTimeMs, reason, scope, metric, model, keyUid, calls, lastTimeMs]
}
