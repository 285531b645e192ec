/** An entry of the audit trail as the screens read it. */
import type { LogEntry } from './queries.ts'

/** What `logEntryOf` in domain/audit.ts puts into google.cloud.audit.AuditLog. */
interface Payload {
  readonly methodName: string
  readonly resourceName: string
  readonly authenticationInfo: { readonly principalSubject: string }
  readonly authorizationInfo?: readonly { readonly permission?: string }[]
  readonly requestMetadata: {
    readonly callerIp: string | null
    readonly callerSuppliedUserAgent: string | null
    readonly requestAttributes: { readonly id: string; readonly reason: string | null }
  }
  readonly request: unknown
  readonly resourceOriginalState: unknown
  readonly response: unknown
  /** google.rpc.Status; without a code it was done. */
  readonly status?: { readonly code?: number; readonly message?: string }
}

export function payloadOf({ protoPayload }: LogEntry): Payload {
  return protoPayload as unknown as Payload
}

/** google.rpc.Code, of those that a refusal has. */
const CODE_TEXT: Readonly<Record<number, string>> = {
  7: 'PERMISSION_DENIED',
  16: 'UNAUTHENTICATED',
}

/** Null: it was done. */
export function refusalOf(entry: LogEntry): string | null {
  const code = payloadOf(entry).status?.code ?? 0
  return code === 0 ? null : (CODE_TEXT[code] ?? `code ${code}`)
}

/** The name below its project: `keys/web` of `projects/415104041262/locations/global/keys/web`. */
export function shownResource(resourceName: string): string {
  return resourceName.replace(/^projects\/[^/]+\/(?:locations\/global\/)?/, '')
}

/** `DisableKey` of `pollux.v1.Keys.DisableKey`, as words: `Disable key`. */
export function shownMethod(methodName: string): string {
  const words = (methodName.split('.').at(-1) ?? methodName).replaceAll(/([a-z])([A-Z])/g, '$1 $2')
  return `${words.charAt(0)}${words.slice(1).toLowerCase()}`.replace(/\biam\b/, 'IAM')
}
