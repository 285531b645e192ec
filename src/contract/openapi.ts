import { z } from 'zod'
import { ApiError } from '../domain/error.ts'
import { type Endpoint, declaredErrors, paramNames } from './endpoint.ts'

type Json = Record<string, unknown>

const ERROR_SCHEMA: Json = {
  type: 'object',
  description: 'google.rpc.Status',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message', 'status'],
      properties: {
        code: { type: 'integer' },
        message: { type: 'string' },
        status: { type: 'string' },
        details: { type: 'array', items: { type: 'object', required: ['@type'] } },
      },
    },
  },
}

const SECURITY_SCHEMES: Json = {
  bearer: { type: 'http', scheme: 'bearer' },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: '__Host-pollux-session',
    description: 'Of a browser that is signed in; `pollux-session` at http://localhost.',
  },
}

/** The OpenAPI 3.1 document of the endpoints. `version` is the product's. */
export function openApiDocument(endpoints: readonly Endpoint[], version: string): Json & { openapi: string } {
  const schemas: Json = { Status: ERROR_SCHEMA }
  const paths: Record<string, Json> = {}
  for (const endpoint of endpoints) {
    const item = (paths[endpoint.path] ??= {})
    item[endpoint.method.toLowerCase()] = operation(endpoint, schemas)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Pollux management API',
      version,
      description:
        'API Keys API v2, Resource Manager v3 (projects), and /pollux/v1 for what they cannot say. With a bearer token, or in a browser that is signed in; an API key manages nothing.',
    },
    security: [{ bearer: [] }, { session: [] }],
    paths,
    components: { schemas, securitySchemes: SECURITY_SCHEMES },
  }
}

function operation(endpoint: Endpoint, schemas: Json): Json {
  const isText = endpoint.response instanceof z.ZodString
  const content = {
    [isText ? 'text/plain' : 'application/json']: { schema: schemaOf(endpoint.response, schemas) },
  }
  return {
    operationId: endpoint.id,
    summary: endpoint.summary,
    tags: [endpoint.id.split('.').slice(0, -1).join('.')],
    'x-pollux-permission': endpoint.permission,
    ...(endpoint.stepUp === true ? { 'x-pollux-step-up': true } : {}),
    ...(endpoint.permission === 'anyone' ? { security: [] } : {}),
    ...(endpoint.audit === null ? {} : { 'x-pollux-audit': endpoint.audit }),
    parameters: [...pathParameters(endpoint), ...queryParameters(endpoint, schemas)],
    ...(endpoint.body === null
      ? {}
      : { requestBody: { content: { 'application/json': { schema: schemaOf(endpoint.body, schemas) } } } }),
    responses: { '200': { description: 'Done', content }, ...errorResponses(endpoint) },
  }
}

/** As `fastifyPaths` has it: a colon would begin the verb. */
const SEGMENT = '^[^:/]+$'

function pathParameters({ path }: Endpoint): readonly Json[] {
  return paramNames(path).map(name => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string', minLength: 1, pattern: SEGMENT },
    ...(name === 'project' ? { description: 'Project id or number' } : {}),
  }))
}

function queryParameters({ query }: Endpoint, schemas: Json): readonly Json[] {
  return Object.entries(query.shape).map(([name, schema]) => ({
    name,
    in: 'query',
    required: !schema.safeParse(undefined).success,
    // Lists travel comma-separated.
    explode: false,
    schema: schemaOf(schema, schemas),
  }))
}

/** One response per HTTP status; its description lists the reasons. */
function errorResponses(endpoint: Endpoint): Json {
  const byStatus = new Map<number, string[]>()
  for (const reason of declaredErrors(endpoint)) {
    const { httpStatus } = new ApiError(reason, '')
    byStatus.set(httpStatus, [...(byStatus.get(httpStatus) ?? []), reason])
  }
  const schema = { $ref: '#/components/schemas/Status' }
  return Object.fromEntries(
    [...byStatus].map(([status, reasons]) => [
      String(status),
      { description: reasons.join(', '), content: { 'application/json': { schema } } },
    ]),
  )
}

/** JSON Schema of a zod schema; what has an id goes to `components.schemas` and is referred to. */
function schemaOf(schema: z.core.$ZodType, schemas: Json): unknown {
  // One direction for bodies and replies alike, so that a component means the same in both.
  const {
    $schema: _,
    $defs,
    ...rest
  } = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      // zod's pattern for a time says at length what the format says in a word.
      if (jsonSchema.format === 'date-time') delete jsonSchema.pattern
    },
  })
  for (const [id, definition] of Object.entries($defs ?? {})) schemas[id] = withoutId(hoisted(definition))
  return withoutId(hoisted(rest))
}

/** Points `$ref`s from a schema's own `$defs` to the document's components. */
function hoisted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hoisted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      name === '$ref' && typeof inner === 'string'
        ? inner.replace('#/$defs/', '#/components/schemas/')
        : hoisted(inner),
    ]),
  )
}

/** zod repeats the id inside the schema, where OpenAPI knows no such keyword. */
function withoutId(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  const { id: _, ...rest } = schema as Json
  return rest
}
