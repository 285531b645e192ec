/** The audit trail, in the shape of Cloud Audit Logs (google.logging.v2.LogEntry), and sealed secrets as a whole. */
import { z } from 'zod'
import { endpoint } from './endpoint.ts'
import { NO_QUERY, PageQuery, Time } from './fields.ts'

const LogEntry = z
  .object({
    logName: z.string(),
    insertId: z.string(),
    timestamp: Time,
    severity: z.string(),
    resource: z.object({ type: z.string(), labels: z.record(z.string(), z.string()) }),
    labels: z.record(z.string(), z.string()).meta({
      description:
        'pollux/sequence, pollux/previousDigest and pollux/digest: the SHA-256 of the canonical JSON (RFC 8785) of this entry without the label pollux/digest.',
    }),
    protoPayload: z.looseObject({ '@type': z.string() }).meta({ description: 'google.cloud.audit.AuditLog' }),
  })
  .meta({ id: 'LogEntry' })

const EntryPage = z.object({ entries: z.array(LogEntry).optional(), nextPageToken: z.string().optional() })

const AuditVerification = z
  .object({
    entriesChecked: z.number(),
    checkpointsChecked: z.number(),
    headSequence: z.number().meta({ description: 'Of the last entry.' }),
    headDigest: z.string(),
    signingKeyId: z.string(),
    publicKey: z.string().meta({ description: 'Ed25519, PEM: what checkpoints are signed with.' }),
    problems: z.array(
      z.object({
        sequence: z.number().meta({ description: 'Where the chain is broken.' }),
        what: z.enum([
          'ENTRY_CHANGED',
          'ENTRY_MISSING',
          'ENTRY_INSERTED',
          'HEAD_DIFFERS',
          'HEAD_FORGED',
          'CHECKPOINT_DIFFERS',
          'CHECKPOINT_WITHOUT_ENTRY',
          'CHECKPOINT_FORGED',
        ]),
      }),
    ),
  })
  .meta({ id: 'AuditVerification' })

const AuditCheckpoint = z
  .object({
    sequence: z.number().optional().meta({ description: 'Absent: this end of the trail is signed already.' }),
    digest: z.string().optional(),
    time: Time.optional(),
    signature: z.string().optional().meta({ description: 'Ed25519, base64url.' }),
  })
  .meta({ id: 'AuditCheckpoint' })

const SecretsVerification = z
  .object({
    masterKeyId: z.string().meta({ description: 'Of the master key that seals.' }),
    verified: z.number().meta({ description: 'Secrets that were opened: all there are.' }),
    remaining: z
      .number()
      .meta({ description: 'Secrets under another master key. Call again until it is 0.' }),
  })
  .meta({ id: 'SecretsVerification' })

export const AUDIT_V1 = {
  listAuditEntries: endpoint({
    id: 'pollux.v1.auditEntries.list',
    method: 'GET',
    path: '/pollux/v1/auditEntries',
    permission: 'logging.logEntries.list',
    query: PageQuery.extend({
      project: z.string().optional().meta({ description: 'Id or number.' }),
      resource: z
        .string()
        .optional()
        .meta({ description: 'Name of a resource; what is below it counts too.' }),
      principal: z.string().optional(),
      method: z.string().optional().meta({ description: 'Fully qualified.' }),
      startTime: Time.optional(),
      oldestFirst: z.boolean().optional(),
    }),
    body: null,
    response: EntryPage,
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary: 'Lists audit entries, newest first.',
  }),
  findAuditEntries: endpoint({
    id: 'pollux.v1.auditEntries.find',
    method: 'POST',
    path: '/pollux/v1/auditEntries:find',
    permission: 'logging.logEntries.list',
    query: PageQuery,
    body: z.object({ keyString: z.string() }),
    response: EntryPage.extend({ name: z.string().meta({ description: 'The key it is.' }) }),
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary: 'Lists every entry about the key of a keyString, which travels in the body and is kept nowhere.',
  }),
  verifyAudit: endpoint({
    id: 'pollux.v1.audit.verify',
    method: 'POST',
    path: '/pollux/v1/audit:verify',
    permission: 'pollux.audit.verify',
    query: NO_QUERY,
    body: z.object({}),
    response: AuditVerification,
    errors: ['SECRET_UNREADABLE'],
    audit: null,
    summary: 'Recomputes the chain of the audit trail and checks its signatures. Changes nothing.',
  }),
  checkpointAudit: endpoint({
    id: 'pollux.v1.audit.checkpoint',
    method: 'POST',
    path: '/pollux/v1/audit:checkpoint',
    permission: 'pollux.audit.verify',
    query: NO_QUERY,
    body: z.object({}),
    response: AuditCheckpoint,
    errors: [],
    audit: null,
    summary: 'Signs where the trail ends now, as is done every hour. Keep it elsewhere.',
  }),
  rekeySecrets: endpoint({
    id: 'pollux.v1.secrets.rekey',
    method: 'POST',
    path: '/pollux/v1/secrets:rekey',
    permission: 'pollux.secrets.rekey',
    stepUp: true,
    query: NO_QUERY,
    body: z.object({}),
    response: SecretsVerification,
    errors: ['SECRET_UNREADABLE', 'STATE_CONFLICT'],
    audit: 'pollux.v1.Secrets.RekeySecrets',
    summary: "Wraps a batch of secrets anew under this node's first master key. Call until nothing remains.",
  }),
} as const
