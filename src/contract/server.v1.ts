/** What a client may know of the server it talks to. */
import { z } from 'zod'
import { DEGRADED_MODE_NAMES } from '../domain/degraded-mode.ts'
import { endpoint } from './endpoint.ts'
import { NO_QUERY } from './fields.ts'

const ServerJson = z
  .object({
    version: z.string(),
    upstream: z.enum(['SANDBOX', 'GEMINI']).meta({ description: 'Where calls are forwarded.' }),
    demo: z.boolean().meta({ description: 'Whether what it holds is made up, to be looked at.' }),
    callOrigin: z
      .string()
      .optional()
      .meta({ description: 'Where calls are answered. Absent: at the origin of this reply.' }),
    clientAddress: z
      .string()
      .optional()
      .meta({ description: 'The address this request came from, after trusted proxies.' }),
    degradedModes: z.array(z.enum(DEGRADED_MODE_NAMES)).meta({
      description: 'What is away now at the node that answers; see docs/operations.md. Empty: nothing.',
    }),
    models: z.array(z.string()).meta({ description: 'Ids of the models that have a price.' }),
  })
  .meta({ id: 'Server' })

export const SERVER_V1 = {
  getServer: endpoint({
    id: 'pollux.v1.server.get',
    method: 'GET',
    path: '/pollux/v1/server',
    permission: 'any authenticated',
    query: NO_QUERY,
    body: null,
    response: ServerJson,
    errors: [],
    audit: null,
    summary: 'What a client may know of this server, and the address it sees the client at.',
  }),
} as const
