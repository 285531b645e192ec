/** API Keys API v2, as google/api/apikeys/v2/apikeys.proto and its discovery document say. */
import { z } from 'zod'
import { endpoint } from './endpoint.ts'
import {
  CheckExistingUsage,
  NO_QUERY,
  Operation,
  PageQuery,
  ShowDeleted,
  Time,
  UpdateMask,
  outputOnly,
} from './fields.ts'

const RestrictionsJson = z
  .object({
    browserKeyRestrictions: z.object({ allowedReferrers: z.array(z.string()).optional() }).optional(),
    serverKeyRestrictions: z.object({ allowedIps: z.array(z.string()).optional() }).optional(),
    androidKeyRestrictions: z
      .object({
        allowedApplications: z
          .array(z.object({ sha1Fingerprint: z.string(), packageName: z.string() }))
          .optional(),
      })
      .optional(),
    iosKeyRestrictions: z.object({ allowedBundleIds: z.array(z.string()).optional() }).optional(),
    apiTargets: z
      .array(z.object({ service: z.string(), methods: z.array(z.string()).optional() }))
      .optional(),
  })
  .meta({ id: 'Restrictions' })

export const KeyV2 = z
  .object({
    name: outputOnly(z.string()),
    uid: outputOnly(z.string()),
    displayName: z.string().optional(),
    keyString: outputOnly(z.string()).optional(),
    createTime: outputOnly(Time),
    updateTime: outputOnly(Time),
    deleteTime: outputOnly(Time).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
    restrictions: RestrictionsJson.optional(),
    etag: z.string(),
  })
  .meta({ id: 'KeyV2' })

const KeyInput = KeyV2.partial().meta({ id: 'KeyV2Input' })

const KEYS = '/v2/projects/{project}/locations/global/keys'
const KEY = `${KEYS}/{key}` as const
const METHOD = 'google.api.apikeys.v2.ApiKeys'

export const APIKEYS_V2 = {
  createKey: endpoint({
    id: 'apikeys.v2.keys.create',
    method: 'POST',
    path: KEYS,
    permission: 'apikeys.keys.create',
    query: z.object({ keyId: z.string().optional() }),
    body: KeyInput,
    response: Operation,
    errors: ['CONSUMER_INVALID', 'ALREADY_EXISTS', 'RESOURCE_QUOTA_EXCEEDED', 'STATE_CONFLICT'],
    audit: `${METHOD}.CreateKey`,
    summary: 'Makes a key. The keyString is in the response of this operation and never again.',
  }),
  listKeys: endpoint({
    id: 'apikeys.v2.keys.list',
    method: 'GET',
    path: KEYS,
    permission: 'apikeys.keys.list',
    query: PageQuery.extend({ showDeleted: ShowDeleted }),
    body: null,
    response: z.object({ keys: z.array(KeyV2).optional(), nextPageToken: z.string().optional() }),
    errors: ['CONSUMER_INVALID'],
    audit: null,
    summary: 'Lists the keys of a project in order of creation.',
  }),
  getKey: endpoint({
    id: 'apikeys.v2.keys.get',
    method: 'GET',
    path: KEY,
    permission: 'apikeys.keys.get',
    query: NO_QUERY,
    body: null,
    response: KeyV2,
    errors: ['CONSUMER_INVALID', 'RESOURCE_NOT_FOUND'],
    audit: null,
    summary: 'Reads a key, a deleted one too until it is purged.',
  }),
  getKeyString: endpoint({
    id: 'apikeys.v2.keys.getKeyString',
    method: 'GET',
    path: `${KEY}/keyString`,
    permission: 'apikeys.keys.getKeyString',
    stepUp: true,
    query: NO_QUERY,
    body: null,
    response: z.object({ keyString: z.string() }),
    errors: ['CONSUMER_INVALID', 'RESOURCE_NOT_FOUND', 'KEY_STRING_SHOWN_ONCE', 'SECRET_UNREADABLE'],
    audit: `${METHOD}.GetKeyString`,
    summary: 'Reveals the keyString of a key that was made while its project had recoverableKeys.',
  }),
  updateKey: endpoint({
    id: 'apikeys.v2.keys.patch',
    method: 'PATCH',
    path: KEY,
    permission: 'apikeys.keys.update',
    query: z.object({ updateMask: UpdateMask, checkExistingUsage: CheckExistingUsage }),
    body: KeyInput,
    response: Operation,
    errors: [
      'CONSUMER_INVALID',
      'RESOURCE_NOT_FOUND',
      'MASK_INVALID',
      'ETAG_MISMATCH',
      'STATE_CONFLICT',
      'KEY_IN_USE',
    ],
    audit: `${METHOD}.UpdateKey`,
    summary: 'Changes displayName, restrictions or annotations.',
  }),
  deleteKey: endpoint({
    id: 'apikeys.v2.keys.delete',
    method: 'DELETE',
    path: KEY,
    permission: 'apikeys.keys.delete',
    stepUp: true,
    query: z.object({ etag: z.string().optional(), checkExistingUsage: CheckExistingUsage }),
    body: null,
    response: Operation,
    errors: ['CONSUMER_INVALID', 'RESOURCE_NOT_FOUND', 'ETAG_MISMATCH', 'STATE_CONFLICT', 'KEY_IN_USE'],
    audit: `${METHOD}.DeleteKey`,
    summary: 'Deletes a key. It is refused at once and can be undeleted for 30 days.',
  }),
  undeleteKey: endpoint({
    id: 'apikeys.v2.keys.undelete',
    method: 'POST',
    path: `${KEY}:undelete`,
    permission: 'apikeys.keys.undelete',
    query: NO_QUERY,
    body: z.object({}),
    response: Operation,
    errors: ['CONSUMER_INVALID', 'RESOURCE_NOT_FOUND', 'STATE_CONFLICT', 'RESOURCE_QUOTA_EXCEEDED'],
    audit: `${METHOD}.UndeleteKey`,
    summary: 'Brings back a key that was deleted less than 30 days ago.',
  }),
  lookupKey: endpoint({
    id: 'apikeys.v2.keys.lookupKey',
    method: 'GET',
    path: '/v2/keys:lookupKey',
    permission: 'apikeys.keys.lookup',
    resource: 'filtered',
    query: z.object({ keyString: z.string() }),
    body: null,
    response: z.object({ parent: z.string(), name: z.string() }),
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary:
      'Finds the key of a keyString. Prefer POST /pollux/v1/keys:lookup, which keeps it out of the URL.',
  }),
  getOperation: endpoint({
    id: 'apikeys.v2.operations.get',
    method: 'GET',
    path: '/v2/operations/{operation}',
    permission: 'serviceusage.operations.get',
    resource: 'filtered',
    query: NO_QUERY,
    body: null,
    response: Operation,
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary: 'Reads an operation of the last seven days. It never holds a keyString.',
  }),
} as const
