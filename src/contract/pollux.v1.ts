/** What Google's APIs have no words for, in their style (AIP), answering resources instead of operations. */
import { z } from 'zod'
import { ALLOWED_TOOLS, ENVIRONMENTS } from '../domain/key.ts'
import { API_VERSIONS } from '../domain/project.ts'
import { KeyV2 } from './apikeys.v2.ts'
import { endpoint } from './endpoint.ts'
import {
  CheckExistingUsage,
  NO_QUERY,
  PageQuery,
  ShowDeleted,
  Time,
  UpdateMask,
  outputOnly,
} from './fields.ts'
import { ProjectV3 } from './projects.v3.ts'
import { USAGE_ENDPOINTS } from './usage.v1.ts'

/** A Key of API Keys v2 with everything Pollux knows of it. Absent fields are unset: no expiry, every model, every tool. */
export const PolluxKey = KeyV2.extend({
  state: outputOnly(z.enum(['ACTIVE', 'DISABLED', 'EXPIRED', 'DELETED'])),
  disabledTime: outputOnly(Time).optional(),
  expireTime: Time.nullish().meta({ description: 'From this moment the key is refused. null: never.' }),
  lastUsedTime: outputOnly(Time).optional(),
  allowedModels: z
    .array(z.string())
    .nullish()
    .meta({ description: 'Model ids or prefix*. null: every model; []: none.' }),
  allowedTools: z.array(z.enum(ALLOWED_TOOLS)).nullish().meta({ description: 'null: every tool; []: none.' }),
  environment: z.enum(ENVIRONMENTS).nullish(),
  maskedKeyString: outputOnly(z.string()),
}).meta({ id: 'Key' })

export const PolluxProject = ProjectV3.extend({
  modelAliases: z
    .record(z.string(), z.object({ model: z.string(), apiVersion: z.enum(API_VERSIONS).optional() }))
    .optional(),
  tier: z
    .string()
    .optional()
    .meta({ description: 'The id of its tier. Absent or empty: none, so no limits but its own.' }),
  recoverableKeys: z.boolean().optional().meta({
    description:
      'The keyStrings of keys made from now on are sealed and kept, so that getKeyString works. Switching it off forgets them.',
  }),
}).meta({ id: 'Project' })

const KeyInput = PolluxKey.partial().meta({ id: 'KeyInput' })
const ProjectInput = PolluxProject.partial().meta({ id: 'ProjectInput' })

const KeyTestRequest = z
  .object({
    address: z.string().optional(),
    referer: z.string().optional(),
    origin: z.string().optional(),
    androidPackage: z.string().optional(),
    androidCert: z.string().optional(),
    iosBundleId: z.string().optional(),
    apiVersion: z.enum(API_VERSIONS).optional().meta({ description: 'Absent: v1beta.' }),
    method: z.string().optional().meta({ description: 'Bare name. Absent: GenerateContent.' }),
    model: z.string().optional(),
    tools: z.array(z.enum(ALLOWED_TOOLS)).optional(),
  })
  .meta({ id: 'KeyTestRequest' })

const KeyTestResponse = z
  .object({
    allowed: z.boolean(),
    verdicts: z.array(
      z.object({
        rule: z.enum(['state', 'client', 'method', 'model', 'tools']),
        outcome: z.enum(['ALLOWED', 'NOT_APPLICABLE', 'REFUSED']),
        reason: z.string().optional(),
        message: z.string().optional(),
      }),
    ),
  })
  .meta({ id: 'KeyTestResponse' })

const PROJECTS = '/pollux/v1/projects'
const PROJECT = `${PROJECTS}/{project}` as const
const KEYS = `${PROJECT}/keys` as const
const KEY = `${KEYS}/{key}` as const
const KEY_METHOD = 'pollux.v1.Keys'
const PROJECT_METHOD = 'pollux.v1.Projects'

const KEY_ENDPOINTS = {
  createKey: endpoint({
    id: 'pollux.v1.keys.create',
    method: 'POST',
    path: KEYS,
    permission: 'apikeys.keys.create',
    query: z.object({ keyId: z.string().optional() }),
    body: KeyInput,
    response: PolluxKey,
    errors: ['RESOURCE_NOT_FOUND', 'ALREADY_EXISTS', 'RESOURCE_QUOTA_EXCEEDED', 'STATE_CONFLICT'],
    audit: `${KEY_METHOD}.CreateKey`,
    summary: 'Makes a key and answers it with its keyString, this once.',
  }),
  listKeys: endpoint({
    id: 'pollux.v1.keys.list',
    method: 'GET',
    path: KEYS,
    permission: 'apikeys.keys.list',
    query: PageQuery.extend({ showDeleted: ShowDeleted }),
    body: null,
    response: z.object({ keys: z.array(PolluxKey).optional(), nextPageToken: z.string().optional() }),
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary: 'Lists the keys of a project in order of creation.',
  }),
  searchKeys: endpoint({
    id: 'pollux.v1.keys.search',
    method: 'GET',
    path: '/pollux/v1/keys',
    permission: 'apikeys.keys.list',
    resource: 'filtered',
    query: PageQuery.extend({ showDeleted: ShowDeleted }),
    body: null,
    response: z.object({ keys: z.array(PolluxKey).optional(), nextPageToken: z.string().optional() }),
    errors: [],
    audit: null,
    summary: 'Lists the keys of every project in which the caller may list them, in order of creation.',
  }),
  getKey: endpoint({
    id: 'pollux.v1.keys.get',
    method: 'GET',
    path: KEY,
    permission: 'apikeys.keys.get',
    query: NO_QUERY,
    body: null,
    response: PolluxKey,
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary: 'Reads a key, a deleted one too until it is purged.',
  }),
  updateKey: endpoint({
    id: 'pollux.v1.keys.patch',
    method: 'PATCH',
    path: KEY,
    permission: 'apikeys.keys.update',
    query: z.object({ updateMask: UpdateMask, checkExistingUsage: CheckExistingUsage }),
    body: KeyInput,
    response: PolluxKey,
    errors: ['RESOURCE_NOT_FOUND', 'MASK_INVALID', 'ETAG_MISMATCH', 'STATE_CONFLICT', 'KEY_IN_USE'],
    audit: `${KEY_METHOD}.UpdateKey`,
    summary: 'Changes a key. A field set to null is cleared.',
  }),
  deleteKey: endpoint({
    id: 'pollux.v1.keys.delete',
    method: 'DELETE',
    path: KEY,
    permission: 'apikeys.keys.delete',
    stepUp: true,
    query: z.object({ etag: z.string().optional(), checkExistingUsage: CheckExistingUsage }),
    body: null,
    response: PolluxKey,
    errors: ['RESOURCE_NOT_FOUND', 'ETAG_MISMATCH', 'STATE_CONFLICT', 'KEY_IN_USE'],
    audit: `${KEY_METHOD}.DeleteKey`,
    summary: 'Deletes a key. It is refused at once and can be undeleted for 30 days.',
  }),
  disableKey: endpoint({
    id: 'pollux.v1.keys.disable',
    method: 'POST',
    path: `${KEY}:disable`,
    permission: 'apikeys.keys.update',
    query: NO_QUERY,
    body: z.object({ etag: z.string().optional() }),
    response: PolluxKey,
    errors: ['RESOURCE_NOT_FOUND', 'ETAG_MISMATCH', 'STATE_CONFLICT'],
    audit: `${KEY_METHOD}.DisableKey`,
    summary: 'Switches a key off until it is enabled again. Idempotent.',
  }),
  enableKey: endpoint({
    id: 'pollux.v1.keys.enable',
    method: 'POST',
    path: `${KEY}:enable`,
    permission: 'apikeys.keys.update',
    query: NO_QUERY,
    body: z.object({ etag: z.string().optional() }),
    response: PolluxKey,
    errors: ['RESOURCE_NOT_FOUND', 'ETAG_MISMATCH', 'STATE_CONFLICT'],
    audit: `${KEY_METHOD}.EnableKey`,
    summary: 'Switches a disabled key on again. Idempotent.',
  }),
  undeleteKey: endpoint({
    id: 'pollux.v1.keys.undelete',
    method: 'POST',
    path: `${KEY}:undelete`,
    permission: 'apikeys.keys.undelete',
    query: NO_QUERY,
    body: z.object({ etag: z.string().optional() }),
    response: PolluxKey,
    errors: ['RESOURCE_NOT_FOUND', 'ETAG_MISMATCH', 'STATE_CONFLICT', 'RESOURCE_QUOTA_EXCEEDED'],
    audit: `${KEY_METHOD}.UndeleteKey`,
    summary: 'Brings back a key that was deleted less than 30 days ago.',
  }),
  testKey: endpoint({
    id: 'pollux.v1.keys.test',
    method: 'POST',
    path: `${KEY}:test`,
    permission: 'apikeys.keys.get',
    query: NO_QUERY,
    body: KeyTestRequest,
    response: KeyTestResponse,
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary: 'Tells which rule of the key would refuse the described call. Changes nothing.',
  }),
  lookupKey: endpoint({
    id: 'pollux.v1.keys.lookup',
    method: 'POST',
    path: '/pollux/v1/keys:lookup',
    permission: 'apikeys.keys.lookup',
    resource: 'filtered',
    query: NO_QUERY,
    body: z.object({ keyString: z.string() }),
    response: z.object({ parent: z.string(), name: z.string() }),
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary: 'Finds the key of a keyString, which travels in the body and is kept nowhere.',
  }),
} as const

const PROJECT_ENDPOINTS = {
  createProject: endpoint({
    id: 'pollux.v1.projects.create',
    method: 'POST',
    path: PROJECTS,
    permission: 'resourcemanager.projects.create',
    query: NO_QUERY,
    body: ProjectInput,
    response: PolluxProject,
    errors: ['ALREADY_EXISTS', 'RESOURCE_NOT_FOUND'],
    audit: `${PROJECT_METHOD}.CreateProject`,
    summary: 'Makes a project.',
  }),
  listProjects: endpoint({
    id: 'pollux.v1.projects.list',
    method: 'GET',
    path: PROJECTS,
    permission: 'resourcemanager.projects.list',
    resource: 'filtered',
    query: PageQuery.extend({ showDeleted: ShowDeleted }),
    body: null,
    response: z.object({ projects: z.array(PolluxProject).optional(), nextPageToken: z.string().optional() }),
    errors: [],
    audit: null,
    summary: 'Lists the projects by display name.',
  }),
  getProject: endpoint({
    id: 'pollux.v1.projects.get',
    method: 'GET',
    path: PROJECT,
    permission: 'resourcemanager.projects.get',
    query: NO_QUERY,
    body: null,
    response: PolluxProject,
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary: 'Reads a project by id or number, a deleted one too until it is purged.',
  }),
  updateProject: endpoint({
    id: 'pollux.v1.projects.patch',
    method: 'PATCH',
    path: PROJECT,
    permission: 'resourcemanager.projects.update',
    query: z.object({ updateMask: UpdateMask }),
    body: ProjectInput,
    response: PolluxProject,
    errors: ['RESOURCE_NOT_FOUND', 'MASK_INVALID', 'ETAG_MISMATCH', 'STATE_CONFLICT'],
    audit: `${PROJECT_METHOD}.UpdateProject`,
    summary: 'Changes displayName, labels, modelAliases, tier or recoverableKeys.',
  }),
  deleteProject: endpoint({
    id: 'pollux.v1.projects.delete',
    method: 'DELETE',
    path: PROJECT,
    permission: 'resourcemanager.projects.delete',
    stepUp: true,
    query: z.object({ etag: z.string().optional() }),
    body: null,
    response: PolluxProject,
    errors: ['RESOURCE_NOT_FOUND', 'ETAG_MISMATCH', 'STATE_CONFLICT'],
    audit: `${PROJECT_METHOD}.DeleteProject`,
    summary: 'Marks a project for deletion. Its keys are refused at once; 30 days to undelete.',
  }),
  undeleteProject: endpoint({
    id: 'pollux.v1.projects.undelete',
    method: 'POST',
    path: `${PROJECT}:undelete`,
    permission: 'resourcemanager.projects.undelete',
    query: NO_QUERY,
    body: z.object({ etag: z.string().optional() }),
    response: PolluxProject,
    errors: ['RESOURCE_NOT_FOUND', 'ETAG_MISMATCH', 'STATE_CONFLICT'],
    audit: `${PROJECT_METHOD}.UndeleteProject`,
    summary: 'Brings back a project that was deleted less than 30 days ago.',
  }),
} as const

export const POLLUX_V1 = {
  ...KEY_ENDPOINTS,
  ...PROJECT_ENDPOINTS,
  ...USAGE_ENDPOINTS,
  getOpenApi: endpoint({
    id: 'pollux.v1.openapi.get',
    method: 'GET',
    path: '/pollux/v1/openapi.json',
    permission: 'any authenticated',
    query: NO_QUERY,
    body: null,
    response: z.looseObject({ openapi: z.string() }),
    errors: [],
    audit: null,
    summary: 'This document.',
  }),
  getMetrics: endpoint({
    id: 'pollux.metrics.get',
    method: 'GET',
    path: '/metrics',
    permission: 'pollux.metrics.get',
    query: NO_QUERY,
    body: null,
    // The one endpoint that answers text: the Prometheus exposition format.
    response: z.string(),
    errors: [],
    audit: null,
    summary: 'Metrics of this process for Prometheus.',
  }),
} as const
