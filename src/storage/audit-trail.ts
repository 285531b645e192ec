/** The audit trail: appended to, read from its newest end. */
import type { Selectable } from 'kysely'
import type { AuditEntry } from '../domain/audit.ts'
import { auditRow } from './commit.ts'
import { decodeCursor, pageOf } from './cursor.ts'
import type { Engine } from './engine.ts'
import type { AuditEntryTable } from './schema.ts'
import type { AuditStore, Page, PageRequest } from './storage.ts'

type TimedEntry = AuditEntry & { readonly timeMs: number }

export class AuditTrail implements AuditStore {
  readonly #engine: Engine

  constructor(engine: Engine) {
    this.#engine = engine
  }

  async append(entry: AuditEntry): Promise<void> {
    const nowMs = await this.#engine.nowMs(this.#engine.db)
    await this.#engine.db.insertInto('audit_entry').values(auditRow(entry, nowMs)).execute()
  }

  async list(query: { readonly projectNumber: string | null } & PageRequest): Promise<Page<TimedEntry>> {
    const scope = ['audit', query.projectNumber ?? '']
    const after = decodeCursor(query.cursor, scope, ['number', 'string'])
    const { bytewise } = this.#engine
    let rows = this.#engine.db.selectFrom('audit_entry').selectAll()
    if (query.projectNumber !== null) rows = rows.where('project_number', '=', query.projectNumber)
    if (after !== null) {
      const [time, insertId] = [Number(after[0]), String(after[1])]
      rows = rows.where(row =>
        row.or([
          row('time', '<', time),
          row.and([row('time', '=', time), row(bytewise(row.ref('insert_id')), '<', insertId)]),
        ]),
      )
    }
    const found = await rows
      .orderBy('time', 'desc')
      .orderBy(row => bytewise(row.ref('insert_id')), 'desc')
      .limit(query.limit + 1)
      .execute()
    return pageOf(found, query.limit, { scope, keyOf: row => [row.time, row.insert_id], item: entryOf })
  }
}

function entryOf(row: Selectable<AuditEntryTable>): TimedEntry {
  return {
    insertId: row.insert_id,
    timeMs: row.time,
    principal: row.principal,
    methodName: row.method_name,
    permission: row.permission,
    resourceName: row.resource_name,
    projectNumber: row.project_number,
    callerIp: row.caller_ip,
    userAgent: row.user_agent,
    requestReason: row.request_reason,
    requestId: row.request_id,
    request: JSON.parse(row.request),
    before: JSON.parse(row.before),
    after: JSON.parse(row.after),
  }
}
