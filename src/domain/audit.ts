/** Who did what to which resource: one entry for every change and every reveal, written in the change's transaction. */
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
