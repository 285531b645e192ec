import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Endpoint } from '../contract/endpoint.ts'
import type { AuditEntry } from '../domain/audit.ts'
import type { Budget } from '../domain/budget.ts'
import type { Key } from '../domain/key.ts'
import type { Project } from '../domain/project.ts'
import { redactCredentials } from '../domain/redaction.ts'
import type { AnyCall } from './call.ts'

const TEXT_CHARS_MAX = 512

/** What a call changes. Neither state holds a secret: keys and projects have none. */
interface Changed {
  readonly resourceName: string
  readonly projectNumber: string | null
  readonly before: unknown
  readonly after: unknown
}

/** The entry of a change that `call` makes; its endpoint must have an audit method. */
export function auditEntry(call: AnyCall, changed: Changed): AuditEntry {
  const { endpoint, params, query, body } = call
  if (endpoint.audit === null)
    throw new TypeError(`${endpoint.id} changes something, but declares no audit method`)
  return {
    insertId: randomUUID(),
    principal: call.principal.subject,
    methodName: endpoint.audit,
    permission: endpoint.permission,
    callerIp: call.callerIp === '' ? null : call.callerIp,
    userAgent: shortened(call.userAgent),
    requestReason: shortened(call.requestReason),
    requestId: call.requestId,
    request: withoutCredentials({
      ...params,
      ...query,
      ...(body === null ? {} : { body: withoutSecrets(endpoint, body) }),
    }),
    resourceName: changed.resourceName,
    projectNumber: changed.projectNumber,
    before: withoutCredentials(changed.before),
    after: withoutCredentials(changed.after),
  }
}

/** What a change of a key can touch; etag and times of the new state are not known before the transaction. */
export function keyAuditState(key: Partial<Key>): unknown {
  const { displayName, annotations, restrictions, allowedModels, allowedTools, environment } = key
  const { disabledTimeMs, expireTimeMs, deleteTimeMs } = key
  return {
    displayName,
    annotations,
    restrictions,
    allowedModels,
    allowedTools,
    environment,
    disabledTimeMs,
    expireTimeMs,
    deleteTimeMs,
  }
}

export function projectAuditState(project: Partial<Project>): unknown {
  const { projectId, displayName, labels, modelAliases, tier, recoverableKeys, deleteTimeMs } = project
  return { projectId, displayName, labels, modelAliases, tier, recoverableKeys, deleteTimeMs }
}

export function budgetAuditState(budget: Partial<Budget>): unknown {
  const { scope, lineage, period, capNanos, policy, defaultMaxOutputTokens, toolCeilingsNanos } = budget
  const { frozenTimeMs } = budget
  return {
    scope,
    lineage,
    period,
    capNanos,
    policy,
    defaultMaxOutputTokens,
    toolCeilingsNanos,
    frozenTimeMs,
  }
}

/** A body without what its endpoint declares as `writeOnly`: passwords, links, what proves a passkey. */
function withoutSecrets({ body: schema }: Endpoint, body: Readonly<Record<string, unknown>>): unknown {
  if (schema === null) return {}
  return Object.fromEntries(Object.entries(body).filter(([name]) => !isWriteOnly(schema.shape[name])))
}

function isWriteOnly(schema: unknown): boolean {
  if (!(schema instanceof z.ZodType)) return true
  if (schema.meta()?.['writeOnly'] === true) return true
  return schema instanceof z.ZodOptional && isWriteOnly(schema.unwrap())
}

function shortened(text: string | null): string | null {
  return text === null ? null : redactCredentials(text).slice(0, TEXT_CHARS_MAX)
}

/** People paste keys into names and annotations: the trail is kept longer than they would like. */
function withoutCredentials(value: unknown): unknown {
  return JSON.parse(redactCredentials(JSON.stringify(value ?? null)))
}
