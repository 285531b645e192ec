import type { z } from 'zod'
import type { Reason } from '../domain/error.ts'
import type { Permission } from '../domain/permission.ts'

/** The names in braces of a Google path template, as a union: `/v3/projects/{project}:move` -> `project`. */
type ParamNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParamNames<Rest>
  : never

/**
 * `project`: the one that `{project}` names. `organization`: nothing less. `filtered`: whatever project the handler finds, so
 * that who holds the permission in some project gets in, and the handler keeps to those.
 */
export type EndpointResource = 'organization' | 'project' | 'filtered'

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

/** One endpoint of the management plane as data: routes, handlers' types, client and OpenAPI document follow from it. */
export interface Endpoint<
  Path extends string = string,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodObject | null = z.ZodObject | null,
  Response extends z.ZodType = z.ZodType,
> {
  /** Unique, e.g. `apikeys.v2.keys.create`. */
  readonly id: string
  readonly method: Method
  /** google.api.http template: `{name}` is one segment, `:verb` a custom method (AIP-136). */
  readonly path: Path
  /** On what the permission is asked; absent: as `resourceOf` reads from the path. */
  readonly resource?: EndpointResource
  /** 'anyone': strangers too, so the endpoint itself has to ask for proof and to count attempts. */
  readonly permission: Permission | 'any authenticated' | 'anyone'
  /** Whoever is signed in must have proven a short while ago who they are. Bearers of tokens need not. */
  readonly stepUp?: true
  readonly query: Query
  /** null: the endpoint takes no body. Fields with `readOnly` in their meta are accepted and ignored. */
  readonly body: Body
  readonly response: Response
  /** What the route refuses beside the reasons every route has (`COMMON_ERRORS`). */
  readonly errors: readonly Reason[]
  /** Fully qualified method name of the audit entry; null where nothing is changed or revealed. */
  readonly audit: string | null
  readonly summary: string
}

/** Path parameters of an endpoint, percent-decoded. */
export type ParamsOf<E> = E extends { readonly path: infer Path extends string }
  ? { readonly [Name in ParamNames<Path>]: string }
  : never
export type QueryOf<E> = E extends { readonly query: infer Query extends z.ZodObject }
  ? z.output<Query>
  : never
export type BodyOf<E> = E extends { readonly body: infer Body extends z.ZodObject } ? z.output<Body> : null
export type ResponseOf<E> = E extends { readonly response: infer Response extends z.ZodType }
  ? z.output<Response>
  : never

/** Keeps the literal types of a record, so that handlers and client calls are typed by it. */
export function endpoint<
  const Path extends string,
  Query extends z.ZodObject,
  Body extends z.ZodObject | null,
  Response extends z.ZodType,
>(record: Endpoint<Path, Query, Body, Response>): Endpoint<Path, Query, Body, Response> {
  return record
}

/** Reasons any endpoint can answer with: they come from the door, not from the handler. */
const COMMON_ERRORS = [
  'ACCESS_TOKEN_MISSING',
  'ACCESS_TOKEN_INVALID',
  'SESSION_ENDED',
  'IAM_PERMISSION_DENIED',
  'REQUEST_HEADERS_REFUSED',
  'FIELD_INVALID',
  'INTERNAL',
  'STORAGE_UNAVAILABLE',
  'DATABASE_DAMAGED',
] as const satisfies readonly Reason[]

/** Reasons of every endpoint that reads a body. */
const BODY_ERRORS = [
  'REQUEST_MALFORMED',
  'CONTENT_TYPE_REFUSED',
  'BODY_TOO_LARGE',
  'FIELD_AMBIGUOUS',
] as const satisfies readonly Reason[]

/** Every reason an endpoint declares, each once. */
export function declaredErrors({ method, path, body, errors, stepUp }: Endpoint): readonly Reason[] {
  return [
    ...new Set<Reason>([
      ...COMMON_ERRORS,
      // A name that no segment can hold, such as one with a colon, makes another path of it.
      ...(path.includes('{') ? (['METHOD_UNKNOWN'] as const) : []),
      ...(method === 'GET' ? [] : (['CROSS_SITE_REFUSED'] as const)),
      ...(stepUp === true ? (['STEP_UP_REQUIRED'] as const) : []),
      ...(body === null ? [] : BODY_ERRORS),
      ...errors,
    ]),
  ]
}

/** On what the endpoint's permission is asked. What names no project is asked of the organization unless it says otherwise. */
export function resourceOf({ path, resource }: Endpoint): EndpointResource {
  return resource ?? (path.includes('{project}') ? 'project' : 'organization')
}

/** Whether the endpoint is one of ours, where there is no foreign client whose habits must be tolerated. */
export function isOwnSurface({ path }: Pick<Endpoint, 'path'>): boolean {
  return path.startsWith('/pollux/') || path === '/metrics'
}

/** The parameter names of a template, in order. */
export function paramNames(path: string): readonly string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(match => match[1] ?? '')
}

/**
 * The Fastify routes of a template: the parameter needs its own pattern so that it ends before the verb, and a literal
 * colon is doubled. A custom method also answers under `/:verb`, as Google's documented curl line for undelete writes it.
 */
export function fastifyPaths(path: string): readonly string[] {
  const route = (template: string): string =>
    template.replaceAll(':', '::').replaceAll(/\{(\w+)\}/g, ':$1(^[^:/]+)')
  const withSlash = path.replace(/\}:(\w+)$/, '}/:$1')
  return withSlash === path ? [route(path)] : [route(path), route(withSlash)]
}

/** Whether a decoded path is one the template describes. */
export function matchesTemplate(template: string, path: string): boolean {
  const source = template.replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&').replaceAll(/\{\w+\}/g, '[^:/]+')
  return new RegExp(`^${source}$`).test(path)
}

/** The path of a template with its parameters filled in and percent-encoded. */
export function fillTemplate(path: string, params: Readonly<Record<string, string>>): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name]
    if (value === undefined || value === '') throw new TypeError(`The path parameter '${name}' is missing.`)
    return encodeURIComponent(value)
  })
}
