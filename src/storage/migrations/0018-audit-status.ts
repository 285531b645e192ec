/** The audit trail takes what was refused, too. Null, as in every entry so far: it was done. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('audit_entry').addColumn('status', 'text').execute()
}

export const auditStatus: Migration = { up }
