/** The audit trail: appended to, read from either end, verified as a chain. */
import type { AuditEntry, ChainedEntry } from '../domain/audit.ts'
import type { SigningKey } from '../secrets/signing-key.ts'
import type { AuditChain, AuditCheckpoint } from './audit-chain.ts'
import { chainedEntryOf } from './audit-row.ts'
import { verifyAudit } from './audit-verify.ts'
import { decodeCursor, pageOf } from './cursor.ts'
import type { Engine } from './engine.ts'
import type { AuditQuery, AuditStore, AuditVerification } from './audit-store.ts'
import type { Page, PageRequest } from './storage.ts'

export class AuditTrail implements AuditStore {
  readonly #engine: Engine
  readonly #chain: AuditChain
  readonly #signingKey: SigningKey

  constructor(engine: Engine, chain: AuditChain, signingKey: SigningKey) {
    this.#engine = engine
    this.#chain = chain
    this.#signingKey = signingKey
  }

  async append(entry: AuditEntry): Promise<void> {
    await this.#engine.db
      .transaction()
      .execute(async trx => this.#chain.append(trx, entry, await this.#engine.nowMs(trx)))
  }

  async list(query: AuditQuery & PageRequest): Promise<Page<ChainedEntry>> {
    const { projectNumber, resourceName = null, principal = null, methodName = null, sinceMs = null } = query
    const { oldestFirst = false } = query
    const filter = [projectNumber, resourceName, principal, methodName, sinceMs, oldestFirst]
    const scope = ['audit', JSON.stringify(filter)]
    const after = decodeCursor(query.cursor, scope, ['number'])
    const { bytewise } = this.#engine
    let rows = this.#engine.db
      .selectFrom('audit_entry')
      .leftJoin('audit_entry as before', join =>
        join.on('before.seq', '=', row => row('audit_entry.seq', '-', 1)),
      )
      .selectAll('audit_entry')
      .select('before.digest as previous_digest')
    if (projectNumber !== null) rows = rows.where('audit_entry.project_number', '=', projectNumber)
    if (principal !== null) rows = rows.where('audit_entry.principal', '=', principal)
    if (methodName !== null) rows = rows.where('audit_entry.method_name', '=', methodName)
    if (sinceMs !== null) rows = rows.where('audit_entry.time', '>=', sinceMs)
    if (resourceName !== null) {
      // "0" is the character behind "/".
      rows = rows.where(row => {
        const name = bytewise(row.ref('audit_entry.resource_name'))
        return row.or([
          row('audit_entry.resource_name', '=', resourceName),
          row.and([row(name, '>', `${resourceName}/`), row(name, '<', `${resourceName}0`)]),
        ])
      })
    }
    if (after !== null) rows = rows.where('audit_entry.seq', oldestFirst ? '>' : '<', Number(after[0]))
    const found = await rows
      .orderBy('audit_entry.seq', oldestFirst ? 'asc' : 'desc')
      .limit(query.limit + 1)
      .execute()
    return pageOf(found, query.limit, {
      scope,
      keyOf: row => [row.seq],
      item: row => chainedEntryOf(row, row.previous_digest ?? ''),
    })
  }

  async verify(): Promise<AuditVerification> {
    return await verifyAudit(this.#engine.db, this.#signingKey)
  }

  async checkpoint(): Promise<AuditCheckpoint | null> {
    return await this.#chain.checkpoint()
  }
}
