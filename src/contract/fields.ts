/** Fields that several resources have. `readOnly` in a meta means output only: ignored in a body, marked in OpenAPI. */
import { z } from 'zod'

export const NO_QUERY = z.object({})

/** RFC 3339 in UTC or with an offset. */
export const Time = z.iso.datetime({ offset: true })

/** Shows `schema` as output only. */
export function outputOnly<T extends z.ZodType>(schema: T): T {
  return schema.meta({ readOnly: true })
}

/** Shows `schema` as one way only: it is in no reply, and not in the audit trail. */
export function secretInput<T extends z.ZodType>(schema: T): T {
  return schema.meta({ writeOnly: true })
}

export const PageQuery = z.object({
  pageSize: z.int().optional().meta({ description: '0 or absent: 50. More than 300 is taken as 300.' }),
  pageToken: z.string().optional().meta({ description: 'nextPageToken of the page before' }),
})

export const ShowDeleted = z
  .boolean()
  .optional()
  .meta({ description: 'Also what was deleted less than 30 days ago.' })

export const UpdateMask = z.string().optional().meta({
  description: 'Comma-separated fields to change; absent: those in the body; `*`: every mutable field.',
})

/** checkExistingUsage of API Keys v2: refuse when the key was used in the last seven days. */
export const CheckExistingUsage = z.enum(['CHECK_EXISTING_USAGE_UNSPECIFIED', 'SKIP', 'CHECK']).optional()

/** google.longrunning.Operation. `response` carries the resource with its `@type`. */
export const Operation = z
  .object({
    name: z.string(),
    metadata: z.looseObject({ '@type': z.string() }).optional(),
    done: z.boolean(),
    response: z.looseObject({ '@type': z.string() }).optional(),
  })
  .meta({ id: 'Operation' })
