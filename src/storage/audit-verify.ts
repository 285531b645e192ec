/** Recomputes the chain of the audit trail: whatever was changed in it behind our back is found. */
import type { SigningKey } from '../secrets/signing-key.ts'
import { checkpointStatement, headStatement } from './audit-chain.ts'
import { type AuditEntryRow, type ChainEnd, digestOfRow } from './audit-row.ts'
import type { Db } from './schema.ts'
import type { AuditProblem, AuditVerification } from './audit-store.ts'

const PAGE_ROWS = 500
const PROBLEMS_MAX = 100

/** The entries up to the head as it is when this begins: what is added meanwhile changes nothing of them. */
export async function verifyAudit(db: Db, signingKey: SigningKey): Promise<AuditVerification> {
  const head = await db.selectFrom('audit_head').selectAll().executeTakeFirst()
  const checkpoints = await db.selectFrom('audit_checkpoint').selectAll().orderBy('seq').execute()
  const problems: AuditProblem[] = []
  const tell = (sequence: number, what: AuditProblem['what']): void => {
    if (problems.length < PROBLEMS_MAX) problems.push({ sequence, what })
  }
  const signed = new Map(checkpoints.map(({ seq, digest }) => [seq, digest]))
  const { end, entries } = await walk(db, {
    seqMax: head?.seq ?? Number.MAX_SAFE_INTEGER,
    tell,
    see: row => {
      const digest = signed.get(row.seq)
      if (digest !== undefined && digest !== row.digest) tell(row.seq, 'CHECKPOINT_DIFFERS')
      signed.delete(row.seq)
    },
  })
  // Of what a checkpoint has signed and nobody has seen, the tail was cut off, or it was taken out of the middle.
  for (const seq of signed.keys()) tell(seq, 'CHECKPOINT_WITHOUT_ENTRY')
  for (const { seq, digest, time, signature } of checkpoints) {
    if (!signingKey.isSigned(checkpointStatement({ seq, digest }, time), signature))
      tell(seq, 'CHECKPOINT_FORGED')
  }
  if (head === undefined) tell(end.seq, 'HEAD_DIFFERS')
  else {
    if (head.seq !== end.seq || head.digest !== end.digest) tell(head.seq, 'HEAD_DIFFERS')
    if (!signingKey.isSigned(headStatement(head), head.signature)) tell(head.seq, 'HEAD_FORGED')
    if (await hasStrays(db, head.seq, entries)) tell(head.seq, 'ENTRY_INSERTED')
  }
  return {
    entriesChecked: entries,
    checkpointsChecked: checkpoints.length,
    headSequence: end.seq,
    headDigest: end.digest,
    signingKeyId: signingKey.id,
    publicKey: signingKey.publicKey,
    problems,
  }
}

interface Walk {
  readonly seqMax: number
  readonly tell: (sequence: number, what: AuditProblem['what']) => void
  readonly see: (row: AuditEntryRow) => void
}

async function walk(
  db: Db,
  { seqMax, tell, see }: Walk,
): Promise<{ readonly end: ChainEnd; readonly entries: number }> {
  let end: ChainEnd = { seq: 0, digest: '' }
  let entries = 0
  for (;;) {
    const rows = await db
      .selectFrom('audit_entry')
      .selectAll()
      .where('seq', '>', end.seq)
      .where('seq', '<=', seqMax)
      .orderBy('seq')
      .limit(PAGE_ROWS)
      .execute()
    if (rows.length === 0) return { end, entries }
    for (const row of rows) {
      entries += 1
      if (row.seq !== end.seq + 1) tell(end.seq + 1, 'ENTRY_MISSING')
      if (row.digest !== expectedDigest(row, end.digest)) tell(row.seq, 'ENTRY_CHANGED')
      see(row)
      end = { seq: row.seq, digest: row.digest }
    }
  }
}

/** null for a row that no entry makes. */
function expectedDigest(row: AuditEntryRow, previousDigest: string): string | null {
  try {
    return digestOfRow(row, previousDigest)
  } catch {
    return null
  }
}

/** Rows that the walk did not see, as their place is none. Those added since have places behind the head. */
async function hasStrays(db: Db, headSeq: number, entries: number): Promise<boolean> {
  const { count } = await db
    .selectFrom('audit_entry')
    .select(({ fn }) => fn.countAll<number | string>().as('count'))
    .where('seq', '<=', headSeq)
    .executeTakeFirstOrThrow()
  return Number(count) !== entries
}
