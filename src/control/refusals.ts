/**
 * Refused permissions in the audit trail, as Cloud Audit Logs has them: who asked for what and lacked which permission.
 * Whoever asks without end fills no database: so many entries a minute for each principal and for all, and then the number
 * of those that were left out.
 */
import { randomUUID } from 'node:crypto'
import { type Endpoint, fillTemplate } from '../contract/endpoint.ts'
import type { AuditEntry } from '../domain/audit.ts'
import { ApiError } from '../domain/error.ts'
import { ORGANIZATION } from '../domain/project.ts'
import { redactCredentials } from '../domain/redaction.ts'
import type { Storage } from '../storage/storage.ts'
import type { ControlLog } from './jobs.ts'

const WINDOW_MS = 60_000
export const ENTRIES_OF_PRINCIPAL_MAX = 5
/** Of all principals, so that many accounts are no way around the other bound. */
const ENTRIES_MAX = 30
/** google.rpc.Code of PERMISSION_DENIED. */
const PERMISSION_DENIED = 7
const TEXT_CHARS_MAX = 512

/** What of a refused request its entry says. */
export interface RefusedRequest {
  readonly principal: string
  readonly endpoint: Endpoint
  readonly params: Readonly<Record<string, string>>
  readonly requestId: string
  readonly callerIp: string
  readonly userAgent: string | null
  readonly requestReason: string | null
}

interface Window {
  readonly startMs: number
  entries: number
  /** By principal: entries written, and refusals left out. */
  readonly counts: Map<string, { written: number; omitted: number }>
}

type Stores = Pick<Storage, 'audit' | 'projects'>

export class RefusalTrail {
  readonly #stores: Stores
  readonly #log: ControlLog
  readonly #now: () => number
  readonly #writing = new Set<Promise<void>>()
  #window: Window = { startMs: 0, entries: 0, counts: new Map() }
  #timer: NodeJS.Timeout | undefined

  constructor(stores: Stores, log: ControlLog, now: () => number) {
    this.#stores = stores
    this.#log = log
    this.#now = now
  }

  /** Takes a refusal down, at once or as one of a number. The answer does not wait for it: a refusal needs no database. */
  note(request: RefusedRequest, error: ApiError): void {
    this.#turn()
    const { counts } = this.#window
    const count = counts.get(request.principal) ?? { written: 0, omitted: 0 }
    counts.set(request.principal, count)
    if (count.written >= ENTRIES_OF_PRINCIPAL_MAX || this.#window.entries >= ENTRIES_MAX) {
      count.omitted += 1
      return
    }
    count.written += 1
    this.#window.entries += 1
    this.#write(() => this.#entryOf(request, error))
  }

  /** Writes what is counted, and waits for what is being written. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#writeCounts()
    await Promise.all(this.#writing)
  }

  /** Begins a new minute where the last one is over. */
  #turn(): void {
    const nowMs = this.#now()
    if (nowMs < this.#window.startMs + WINDOW_MS && nowMs >= this.#window.startMs) return
    this.#writeCounts()
    this.#window = { startMs: nowMs, entries: 0, counts: new Map() }
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#writeCounts(), WINDOW_MS).unref()
  }

  /** One entry for all that was left out: principals are named as long as there are few. */
  #writeCounts(): void {
    const { startMs, counts } = this.#window
    const omitted = [...counts].filter(([, count]) => count.omitted > 0)
    this.#window = { ...this.#window, counts: new Map() }
    if (omitted.length === 0) return
    const total = omitted.reduce((sum, [, count]) => sum + count.omitted, 0)
    const request = {
      omitted: total,
      principals: Object.fromEntries(
        omitted.slice(0, ENTRIES_MAX).map(([name, count]) => [name, count.omitted]),
      ),
      startTime: new Date(startMs).toISOString(),
    }
    const [only] = omitted.length === 1 ? omitted : []
    this.#write(async () => ({
      insertId: randomUUID(),
      principal: only?.[0] ?? 'system',
      methodName: 'pollux.v1.Access.OmitRefusals',
      permission: '',
      resourceName: ORGANIZATION,
      projectNumber: null,
      callerIp: null,
      userAgent: null,
      requestReason: null,
      requestId: randomUUID(),
      request,
      before: null,
      after: null,
      status: { code: PERMISSION_DENIED, message: `${total} more requests were refused within a minute.` },
    }))
  }

  #write(entry: () => Promise<AuditEntry>): void {
    const written = entry()
      .then(made => this.#stores.audit.append(made))
      .catch((err: unknown) => this.#log.error({ err }, 'a refused permission is missing in the audit trail'))
      .finally(() => this.#writing.delete(written))
    this.#writing.add(written)
  }

  async #entryOf(request: RefusedRequest, error: ApiError): Promise<AuditEntry> {
    const { principal, endpoint, params, requestId, callerIp } = request
    const named = params['project']
    const project = named === undefined ? null : await this.#stores.projects.find(named)
    return {
      insertId: randomUUID(),
      principal,
      methodName: endpoint.audit ?? endpoint.id,
      permission: endpoint.permission,
      resourceName: shortened(resourceNameOf(endpoint, params)) ?? ORGANIZATION,
      projectNumber: project?.number ?? null,
      callerIp: callerIp === '' ? null : callerIp,
      userAgent: shortened(request.userAgent),
      requestReason: shortened(request.requestReason),
      requestId,
      request: null,
      before: null,
      after: null,
      status: { code: PERMISSION_DENIED, message: shortened(error.message) ?? '' },
    }
  }
}

/** Whether an error says that a permission is missing. `isAtDoor`: it came of asking for it, before the handler. */
export function isRefusal(error: unknown, isAtDoor: boolean): error is ApiError {
  if (!(error instanceof ApiError)) return false
  const { reason } = error
  if (reason === 'IAM_PERMISSION_DENIED' || reason === 'CONSUMER_INVALID') return true
  // To who is no member of a project it does not exist.
  return isAtDoor && reason === 'RESOURCE_NOT_FOUND'
}

/** What the path names, as Google writes it: without version and verb. */
function resourceNameOf({ path }: Endpoint, params: Readonly<Record<string, string>>): string {
  const name = decodeURIComponent(fillTemplate(path, params))
  const bare = name.replace(/^\/(?:v\d|pollux\/v1)\//, '').replace(/:\w+$/, '')
  return path.includes('{') ? bare : `${ORGANIZATION}/${bare}`
}

function shortened(text: string | null): string | null {
  return text === null ? null : redactCredentials(text).slice(0, TEXT_CHARS_MAX)
}
