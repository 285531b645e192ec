/** Bodies of calls: whether a project keeps them, and those of one call for who may read them. */
import type { BODIES_V1 } from '../contract/bodies.v1.ts'
import type { ResponseOf } from '../contract/endpoint.ts'
import { type KeptBody, parseBodyRetention } from '../domain/call-bodies.ts'
import { invalidField } from '../domain/error.ts'
import { parseMask } from '../domain/field-mask.ts'
import type { Storage } from '../storage/storage.ts'
import { auditEntry } from './audit.ts'
import type { Handlers } from './call.ts'
import { requireProject } from './lookup.ts'
import { presentFields } from './parse.ts'
import { projectName, timeJson } from './resource-names.ts'

type SettingsJson = ResponseOf<typeof BODIES_V1.getBodySettings>
type BodyJson = ResponseOf<typeof BODIES_V1.getCallBodies>['request']

export function bodyHandlers(storage: Storage): Handlers<typeof BODIES_V1> {
  return {
    async getBodySettings(call) {
      const { number, bodyRetentionHours } = await requireProject(storage, call.params.project, call)
      return settingsJson(number, bodyRetentionHours)
    },
    async updateBodySettings(call) {
      const { params, query, body } = call
      const fields = parseMask(query.updateMask, ['retentionHours'], presentFields(body))
      const { number, bodyRetentionHours } = await requireProject(storage, params.project, call)
      if (!fields.has('retentionHours'))
        throw invalidField('retentionHours', 'say for how many hours bodies are kept, or null to keep none')
      const hours = parseBodyRetention(body.retentionHours ?? null)
      const audit = auditEntry(call, {
        resourceName: settingsName(number),
        projectNumber: number,
        before: { retentionHours: bodyRetentionHours },
        after: { retentionHours: hours },
      })
      await storage.bodies.setRetention(number, hours, audit)
      return settingsJson(number, hours)
    },
    async getCallBodies(call) {
      const { number: projectNumber } = await requireProject(storage, call.params.project, call)
      const { call: callId } = call.params
      const name = `${projectName(projectNumber)}/calls/${callId}/bodies`
      const audit = auditEntry(call, { resourceName: name, projectNumber, before: null, after: null })
      const { request, reply, expireTimeMs } = await storage.bodies.reveal({ projectNumber, callId }, audit)
      const expireTime = timeJson(expireTimeMs)
      return { name, request: bodyJson(request), reply: bodyJson(reply), expireTime }
    },
  }
}

function settingsName(projectNumber: string): string {
  return `${projectName(projectNumber)}/bodySettings`
}

function settingsJson(projectNumber: string, hours: number | null): SettingsJson {
  return { name: settingsName(projectNumber), ...(hours === null ? {} : { retentionHours: hours }) }
}

function bodyJson({ text, sizeBytes, isTruncated }: KeptBody): BodyJson {
  return { text, sizeBytes, truncated: isTruncated }
}
