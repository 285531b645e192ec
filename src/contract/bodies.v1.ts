/** Bodies of calls: whether a project keeps them, and those of one call. */
import { z } from 'zod'
import { BODY_KEPT_BYTES_MAX, BODY_RETENTION_HOURS_MAX } from '../domain/call-bodies.ts'
import { endpoint } from './endpoint.ts'
import { NO_QUERY, Time, UpdateMask, outputOnly } from './fields.ts'

const BodySettings = z
  .object({
    name: outputOnly(z.string()).meta({ description: '`projects/{number}/bodySettings`', readOnly: true }),
    retentionHours: z
      .int()
      .nullish()
      .meta({
        description: `For how many hours request and reply of each call are kept, 1 to ${BODY_RETENTION_HOURS_MAX}. null or absent: they are not.`,
      }),
  })
  .meta({ id: 'BodySettings' })

const KeptBody = z
  .object({
    text: z.string().meta({
      description:
        'Without credentials and inline media. Of a stream, all that was sent of it, one behind the other.',
    }),
    sizeBytes: z.number().meta({ description: 'Of the whole body, as it was.' }),
    truncated: z
      .boolean()
      .meta({ description: `There was more than ${BODY_KEPT_BYTES_MAX} bytes are kept of.` }),
  })
  .meta({ id: 'KeptBody' })

const SETTINGS = '/pollux/v1/projects/{project}/bodySettings'

export const BODIES_V1 = {
  getBodySettings: endpoint({
    id: 'pollux.v1.bodySettings.get',
    method: 'GET',
    path: SETTINGS,
    permission: 'resourcemanager.projects.get',
    query: NO_QUERY,
    body: null,
    response: BodySettings,
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary: 'Tells whether the project keeps the bodies of calls, and for how long.',
  }),
  updateBodySettings: endpoint({
    id: 'pollux.v1.bodySettings.patch',
    method: 'PATCH',
    path: SETTINGS,
    permission: 'pollux.bodySettings.update',
    stepUp: true,
    query: z.object({ updateMask: UpdateMask }),
    body: BodySettings.partial().meta({ id: 'BodySettingsInput' }),
    response: BodySettings,
    errors: ['RESOURCE_NOT_FOUND', 'MASK_INVALID', 'STATE_CONFLICT'],
    audit: 'pollux.v1.Bodies.UpdateBodySettings',
    summary:
      'Keeps bodies of calls from now on for so many hours. null keeps none and deletes those that were kept. A shorter time holds for those that are kept already, a longer one does not.',
  }),
  getCallBodies: endpoint({
    id: 'pollux.v1.calls.getBodies',
    method: 'GET',
    path: '/pollux/v1/projects/{project}/calls/{call}/bodies',
    permission: 'pollux.calls.getBodies',
    stepUp: true,
    query: NO_QUERY,
    body: null,
    response: z
      .object({
        name: z.string().meta({ description: '`projects/{number}/calls/{id}/bodies`' }),
        request: KeptBody,
        reply: KeptBody,
        expireTime: Time,
      })
      .meta({ id: 'CallBodies' }),
    errors: ['RESOURCE_NOT_FOUND', 'BODIES_NOT_KEPT', 'SECRET_UNREADABLE'],
    audit: 'pollux.v1.Bodies.GetCallBodies',
    summary:
      'Reveals what was asked and answered in a call, where its project keeps that. Each look is audited.',
  }),
} as const
