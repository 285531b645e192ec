/** The audit trail becomes a chain; what stands in it already is chained in the order of time. */
import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { canonicalJson } from '../../domain/canonical-json.ts'
import { type AuditEntryRow, chainedRow } from '../audit-row.ts'

const PAGE_ROWS = 500

async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('audit_entry')
    .addColumn('seq', 'bigint', column => column.notNull().defaultTo(0))
    .execute()
  await db.schema
    .alterTable('audit_entry')
    .addColumn('digest', 'text', column => column.notNull().defaultTo(''))
    .execute()
  await db.schema
    .createTable('audit_head')
    .addColumn('id', 'bigint', column => column.primaryKey().notNull())
    .addColumn('seq', 'bigint', column => column.notNull())
    .addColumn('digest', 'text', column => column.notNull())
    .addColumn('signature', 'text', column => column.notNull())
    .execute()
  await db.schema
    .createTable('audit_checkpoint')
    .addColumn('seq', 'bigint', column => column.primaryKey().notNull())
    .addColumn('digest', 'text', column => column.notNull())
    .addColumn('time', 'bigint', column => column.notNull())
    .addColumn('signature', 'text', column => column.notNull())
    .execute()
  const { seq, digest } = await chainAll(db)
  await sql`insert into audit_head (id, seq, digest, signature) values (1, ${seq}, ${digest}, '')`.execute(db)
  await db.schema.createIndex('audit_entry_by_seq').unique().on('audit_entry').column('seq').execute()
  await db.schema
    .createIndex('audit_entry_by_resource')
    .on('audit_entry')
    .columns(['resource_name', 'seq'])
    .execute()
}

async function chainAll(db: Kysely<unknown>): Promise<{ readonly seq: number; readonly digest: string }> {
  let head = { seq: 0, digest: '' }
  for (;;) {
    const { rows } = await sql<AuditEntryRow>`
      select * from audit_entry where seq = 0 order by time, insert_id limit ${PAGE_ROWS}`.execute(db)
    if (rows.length === 0) return head
    for (const found of rows) {
      const [request, before, after] = [found.request, found.before, found.after].map(text =>
        canonicalJson(JSON.parse(text)),
      )
      const row = chainedRow({ ...found, request, before, after } as AuditEntryRow, head)
      await sql`update audit_entry set seq = ${row.seq}, digest = ${row.digest}, request = ${row.request},
        before = ${row.before}, after = ${row.after} where insert_id = ${row.insert_id}`.execute(db)
      head = { seq: row.seq, digest: row.digest }
    }
  }
}

export const auditChain: Migration = { up }
