/** Reading and verifying the audit trail, and the master key of what is sealed. */
import type { AUDIT_V1 } from '../contract/audit.v1.ts'
import type { ResponseOf } from '../contract/endpoint.ts'
import { type ChainedEntry, logEntryOf } from '../domain/audit.ts'
import { mayDo } from '../domain/permission.ts'
import { ORGANIZATION } from '../domain/project.ts'
import type { Page } from '../storage/storage.ts'
import { auditEntry } from './audit.ts'
import type { Handlers } from './call.ts'
import { type KeysContext, findByKeyString } from './keys.ts'
import { nextPageToken, pageRequest, requireProject } from './lookup.ts'
import { keyName, timeJson } from './resource-names.ts'

type EntryPage = ResponseOf<typeof AUDIT_V1.listAuditEntries>

export function auditHandlers({ storage }: KeysContext): Handlers<typeof AUDIT_V1> {
  return {
    async listAuditEntries(call) {
      const { project, resource, principal, method, startTime, oldestFirst = false } = call.query
      const number = project === undefined ? null : (await requireProject(storage, project, call)).number
      const page = await storage.audit.list({
        projectNumber: number,
        resourceName: resource ?? null,
        principal: principal ?? null,
        methodName: method ?? null,
        sinceMs: startTime === undefined ? null : Date.parse(startTime),
        oldestFirst,
        ...pageRequest(call.query),
      })
      return entryPage(page)
    },
    async findAuditEntries(call) {
      const { key } = await findByKeyString(storage, call.body.keyString, ({ projectNumber }) =>
        mayDo(call.principal, 'logging.logEntries.list', projectNumber),
      )
      const name = keyName(key)
      const page = await storage.audit.list({
        projectNumber: key.projectNumber,
        resourceName: name,
        // An earlier key may have had the same id.
        sinceMs: key.createTimeMs,
        ...pageRequest(call.query),
      })
      return { name, ...entryPage(page) }
    },
    async verifyAudit() {
      const { problems, ...verification } = await storage.audit.verify()
      return { ...verification, problems: [...problems] }
    },
    async checkpointAudit() {
      const checkpoint = await storage.audit.checkpoint()
      if (checkpoint === null) return {}
      const { sequence, digest, timeMs, signature } = checkpoint
      return { sequence, digest, time: timeJson(timeMs), signature }
    },
    async rekeySecrets(call) {
      const changed = {
        resourceName: `${ORGANIZATION}/secrets`,
        projectNumber: null,
        before: null,
        after: null,
      }
      return await storage.secrets.rekey(auditEntry(call, changed))
    },
  }
}

function entryPage({ items, nextCursor }: Page<ChainedEntry>): EntryPage {
  // Only ever read by the serializer, so the entries may stay read-only.
  return { entries: items.map(logEntryOf) as EntryPage['entries'], ...nextPageToken(nextCursor) }
}
