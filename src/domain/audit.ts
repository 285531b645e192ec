import { canonicalJson } from './canonical-json.ts'
import { ORGANIZATION } from './project.ts'

/**
 * Who did what to which resource: one entry for every change and every reveal, written in the change's transaction; and for
 * what was refused for want of a permission.
 */
export interface AuditEntry {
  readonly insertId: string
  /** e.g. `tokens/admin`; `system` for what Pollux does by itself. */
  readonly principal: string
  /** Fully qualified, e.g. `google.api.apikeys.v2.ApiKeys.CreateKey`. */
  readonly methodName: string
  readonly permission: string
  /** e.g. `projects/415104041262/locations/global/keys/web`. */
  readonly resourceName: string
  readonly projectNumber: string | null
  readonly callerIp: string | null
  readonly userAgent: string | null
  /** X-Goog-Request-Reason, as Terraform and gcloud send it. */
  readonly requestReason: string | null
  readonly requestId: string
  /** The request without any secret, and the resource before and after. */
  readonly request: unknown
  readonly before: unknown
  readonly after: unknown
  /** Absent or null: it was done. Else why it was refused. */
  readonly status?: AuditStatus | null
}

/** google.rpc.Status, as AuditLog.status has it. */
export interface AuditStatus {
  /** google.rpc.Code. */
  readonly code: number
  readonly message: string
}

/** An entry about what Pollux did by itself. */
export function systemEntry(what: {
  readonly methodName: string
  readonly resourceName: string
  readonly projectNumber: string | null
}): AuditEntry {
  return {
    ...what,
    insertId: crypto.randomUUID(),
    principal: 'system',
    permission: '',
    callerIp: null,
    userAgent: null,
    requestReason: null,
    requestId: crypto.randomUUID(),
    request: null,
    before: null,
    after: null,
  }
}

/** An entry in its place of the chain. */
export interface ChainedEntry extends AuditEntry {
  readonly timeMs: number
  /** From 1, without a gap. */
  readonly sequence: number
  /** The digest of the entry before; that of the first is empty. */
  readonly previousDigest: string
  /** `entryDigest` of this entry. */
  readonly digest: string
}

/** A Cloud Audit Logs entry (google.logging.v2.LogEntry with google.cloud.audit.AuditLog); the chain is in its labels. */
export interface LogEntry {
  readonly logName: string
  readonly insertId: string
  readonly timestamp: string
  readonly severity: 'NOTICE' | 'ERROR'
  readonly resource: { readonly type: 'audited_resource'; readonly labels: Readonly<Record<string, string>> }
  readonly labels: Readonly<Record<string, string>>
  readonly protoPayload: Readonly<Record<string, unknown>>
}

const DIGEST_LABEL = 'pollux/digest'

/** An entry in the shape in which Google's clients and log pipelines know it. */
export function logEntryOf(entry: ChainedEntry): LogEntry {
  return { ...undigested(entry), labels: { ...undigested(entry).labels, [DIGEST_LABEL]: entry.digest } }
}

/** What the digest of an entry is taken of: canonical JSON of its LogEntry without the label of the digest itself. */
export function digestedText(entry: Omit<ChainedEntry, 'digest'>): string {
  return canonicalJson(undigested(entry))
}

function undigested(entry: Omit<ChainedEntry, 'digest'>): LogEntry {
  const { methodName, permission, projectNumber, resourceName } = entry
  const status = entry.status ?? null
  const parent = projectNumber === null ? ORGANIZATION : `projects/${projectNumber}`
  const serviceName = methodName.startsWith('google.api.apikeys.')
    ? 'apikeys.googleapis.com'
    : methodName.startsWith('google.cloud.resourcemanager.')
      ? 'cloudresourcemanager.googleapis.com'
      : 'pollux'
  const isReveal = /\.(?:GetKeyString|GetCallBodies)$/.test(methodName)
  return {
    logName: `${parent}/logs/cloudaudit.googleapis.com%2F${isReveal ? 'data_access' : 'activity'}`,
    insertId: entry.insertId,
    timestamp: new Date(entry.timeMs).toISOString(),
    severity: status === null ? 'NOTICE' : 'ERROR',
    resource: {
      type: 'audited_resource',
      labels: {
        method: methodName,
        service: serviceName,
        ...(projectNumber === null ? {} : { project_id: projectNumber }),
      },
    },
    labels: {
      'pollux/sequence': String(entry.sequence),
      'pollux/previousDigest': entry.previousDigest,
    },
    protoPayload: {
      '@type': 'type.googleapis.com/google.cloud.audit.AuditLog',
      serviceName,
      methodName,
      resourceName,
      authenticationInfo: { principalSubject: entry.principal },
      authorizationInfo: [{ resource: resourceName, permission, granted: status === null }],
      requestMetadata: {
        callerIp: entry.callerIp,
        callerSuppliedUserAgent: entry.userAgent,
        requestAttributes: { id: entry.requestId, reason: entry.requestReason },
      },
      request: entry.request,
      resourceOriginalState: entry.before,
      response: entry.after,
      status: status ?? {},
    },
  }
}
