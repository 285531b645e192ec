/** Audit entries as rows of the chain. JSON columns hold canonical JSON, so that one value has one text. */
import type { Selectable } from 'kysely'
import type { AuditEntry, ChainedEntry } from '../domain/audit.ts'
import { digestedText } from '../domain/audit.ts'
import { canonicalJson } from '../domain/canonical-json.ts'
import { digestOf } from '../domain/digest.ts'
import type { AuditEntryTable } from './schema.ts'

export type AuditEntryRow = Selectable<AuditEntryTable>

/** Where the chain ends. */
export interface ChainEnd {
  readonly seq: number
  /** Empty where there is no entry yet. */
  readonly digest: string
}

/** The row that takes an entry to its place behind `end`. */
export function auditRow(entry: AuditEntry, timeMs: number, end: ChainEnd): AuditEntryRow {
  const row = {
    insert_id: entry.insertId,
    time: timeMs,
    principal: entry.principal,
    method_name: entry.methodName,
    permission: entry.permission,
    resource_name: entry.resourceName,
    project_number: entry.projectNumber,
    caller_ip: entry.callerIp,
    user_agent: entry.userAgent,
    request_reason: entry.requestReason,
    request_id: entry.requestId,
    request: canonicalJson(entry.request ?? null),
    before: canonicalJson(entry.before ?? null),
    after: canonicalJson(entry.after ?? null),
    status: (entry.status ?? null) === null ? null : canonicalJson(entry.status),
    seq: 0,
    digest: '',
  }
  // What UTF-8 cannot say is stored as U+FFFD: the digest is taken of what will be read.
  const stored = Object.entries(row).map(([name, value]) => [
    name,
    typeof value === 'string' ? value.toWellFormed() : value,
  ])
  return chainedRow(Object.fromEntries(stored) as AuditEntryRow, end)
}

/** The row with the sequence and digest of its place behind `end`. */
export function chainedRow(row: AuditEntryRow, end: ChainEnd): AuditEntryRow {
  const numbered = { ...row, seq: end.seq + 1 }
  return { ...numbered, digest: digestOfRow(numbered, end.digest) }
}

/**
 * The digest that a row should have behind an entry of `previousDigest`. Throws SyntaxError when a JSON column holds none,
 * or another spelling than `canonicalJson` makes.
 */
export function digestOfRow(row: AuditEntryRow, previousDigest: string): string {
  const entry = chainedEntryOf(row, previousDigest)
  const isCanonical = (['request', 'before', 'after', 'status'] as const).every(
    name => (row[name] ?? null) === null || canonicalJson(entry[name]) === row[name],
  )
  if (!isCanonical) throw new SyntaxError('a column of the audit entry is not canonical JSON')
  return digestOf(digestedText(entry))
}

/** The entry that a row stands for. */
export function chainedEntryOf(row: AuditEntryRow, previousDigest: string): ChainedEntry {
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
    // A row of before the column has none.
    status: (row.status ?? null) === null ? null : JSON.parse(row.status ?? 'null'),
    sequence: row.seq,
    previousDigest,
    digest: row.digest,
  }
}
