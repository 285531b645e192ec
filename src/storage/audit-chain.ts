/**
 * The audit trail as a chain: each entry's digest covers the one before, and one row, the head, says where the chain ends.
 * The head is signed with every entry, so an end that was cut off cannot be made look like the end. Locks: the head comes
 * last but for the epoch.
 */
import type { AuditEntry } from '../domain/audit.ts'
import { logEntryOf } from '../domain/audit.ts'
import { canonicalJson } from '../domain/canonical-json.ts'
import type { SigningKey } from '../secrets/signing-key.ts'
import type { AuditFile } from './audit-file.ts'
import { type ChainEnd, auditRow, chainedEntryOf } from './audit-row.ts'
import type { Engine } from './engine.ts'
import type { Db } from './schema.ts'

export class AuditChain {
  readonly #engine: Engine
  readonly #signingKey: SigningKey
  readonly #file: AuditFile | null

  /** Entries go to `file` as well, where there is one. */
  constructor(engine: Engine, signingKey: SigningKey, file: AuditFile | null) {
    this.#engine = engine
    this.#signingKey = signingKey
    this.#file = file
  }

  /**
   * Adds an entry in the transaction of what it is about. With the head locked, entries of all nodes come one after the
   * other. STORAGE_UNAVAILABLE, within two seconds, when the entry cannot be written; then the transaction must not commit.
   */
  async append(trx: Db, entry: AuditEntry, timeMs: number): Promise<void> {
    await this.#engine.limitLockWait(trx)
    const locked = await trx
      .updateTable('audit_head')
      .set(head => ({ seq: head('seq', '+', 1) }))
      .where('id', '=', 1)
      .returning(['seq', 'digest'])
      .executeTakeFirstOrThrow()
    const end = { seq: locked.seq - 1, digest: locked.digest }
    const row = auditRow(entry, timeMs, end)
    await trx.insertInto('audit_entry').values(row).execute()
    const head = { seq: row.seq, digest: row.digest }
    await trx
      .updateTable('audit_head')
      .set({ digest: head.digest, signature: this.#signingKey.sign(headStatement(head)) })
      .where('id', '=', 1)
      .where('seq', '=', head.seq)
      .execute()
    await this.#file?.append(canonicalJson(logEntryOf(chainedEntryOf(row, end.digest))))
  }

  /** Signs where the chain ends now, for good. Gives nothing where there is a checkpoint of this end already. */
  async checkpoint(): Promise<AuditCheckpoint | null> {
    return await this.#engine.db.transaction().execute(async trx => {
      const timeMs = await this.#engine.nowMs(trx)
      const head = await trx
        .selectFrom('audit_head')
        .select(['seq', 'digest', 'signature'])
        .executeTakeFirstOrThrow()
      // What was changed behind our back is not signed: `audit verify` is to find it.
      if (head.seq === 0 || !this.#signingKey.isSigned(headStatement(head), head.signature)) return null
      const { seq, digest } = head
      const signature = this.#signingKey.sign(checkpointStatement({ seq, digest }, timeMs))
      const inserted = await trx
        .insertInto('audit_checkpoint')
        .values({ seq, digest, time: timeMs, signature })
        .onConflict(conflict => conflict.doNothing())
        .returning('seq')
        .executeTakeFirst()
      return inserted === undefined ? null : { sequence: seq, digest, timeMs, signature }
    })
  }
}

/** An end of the chain, signed once and for all. */
export interface AuditCheckpoint {
  readonly sequence: number
  readonly digest: string
  readonly timeMs: number
  /** Ed25519, base64url. */
  readonly signature: string
}

/** What is signed of the head. An older head is gone, so its signature is nowhere to be found in the database. */
export function headStatement({ seq, digest }: ChainEnd): string {
  return canonicalJson({ type: 'pollux audit head', sequence: seq, digest })
}

/** What is signed of a checkpoint: another text than of a head, so that none can stand for the other. */
export function checkpointStatement({ seq, digest }: ChainEnd, timeMs: number): string {
  return canonicalJson({ type: 'pollux audit checkpoint', sequence: seq, digest, timeMs })
}

/** Signs a head that never was, as a database from before the chain has it. False where it is signed already. */
export async function signFirstHead(trx: Db, key: SigningKey): Promise<boolean> {
  const head = await trx
    .updateTable('audit_head')
    .set(row => ({ seq: row.ref('seq') }))
    .where('id', '=', 1)
    .where('signature', '=', '')
    .returning(['seq', 'digest'])
    .executeTakeFirst()
  if (head === undefined) return false
  await trx
    .updateTable('audit_head')
    .set({ signature: key.sign(headStatement(head)) })
    .where('id', '=', 1)
    .execute()
  return true
}
