/** Service accounts with their tokens and keys, named as in google/iam/admin/v1/iam.proto. */
import { z } from 'zod'
import { endpoint } from './endpoint.ts'
import { NO_QUERY, Time, outputOnly } from './fields.ts'

const ServiceAccountJson = z
  .object({
    name: outputOnly(z.string()),
    projectId: outputOnly(z.string()),
    uniqueId: outputOnly(z.string()),
    email: outputOnly(z.string()),
    displayName: z.string().optional(),
    description: z.string().optional(),
    disabled: outputOnly(z.boolean()),
    etag: outputOnly(z.string()),
    createTime: outputOnly(Time),
    updateTime: outputOnly(Time),
  })
  .meta({ id: 'ServiceAccount' })

const ServiceAccountInput = ServiceAccountJson.partial().meta({ id: 'ServiceAccountInput' })

const TokenJson = z
  .object({
    name: outputOnly(z.string()),
    displayName: z.string().optional(),
    token: outputOnly(z.string())
      .optional()
      .meta({ readOnly: true, description: 'In the answer to create only.' }),
    maskedToken: outputOnly(z.string()),
    permissions: z
      .array(z.string())
      .optional()
      .meta({ description: 'The token counts for these alone. Absent: all of its account.' }),
    project: z.string().optional().meta({
      description: 'Id or number of the one project in which it counts. Absent: all of its account.',
    }),
    createTime: outputOnly(Time),
    expireTime: Time.optional().meta({ description: 'At most 365 days from now. Absent: 90 days.' }),
    lastUsedTime: outputOnly(Time).optional().meta({ readOnly: true, description: 'To the minute.' }),
  })
  .meta({ id: 'ServiceAccountToken' })

const TokenInput = TokenJson.partial().meta({ id: 'ServiceAccountTokenInput' })

const AccountKeyJson = z
  .object({
    name: outputOnly(z.string()),
    keyAlgorithm: outputOnly(z.literal('KEY_ALG_RSA_2048')),
    privateKeyType: outputOnly(z.literal('TYPE_GOOGLE_CREDENTIALS_FILE')).optional(),
    privateKeyData: outputOnly(z.string())
      .optional()
      .meta({ readOnly: true, description: 'The key file, base64. In the answer to create only.' }),
    validAfterTime: outputOnly(Time),
    validBeforeTime: Time.optional().meta({ description: 'At most 365 days from now. Absent: 90 days.' }),
    lastUsedTime: outputOnly(Time).optional().meta({ readOnly: true, description: 'To the minute.' }),
  })
  .meta({ id: 'ServiceAccountKey' })

const AccountKeyInput = z.object({ validBeforeTime: Time.optional() })

const ACCOUNTS = '/pollux/v1/projects/{project}/serviceAccounts'
const ACCOUNT = `${ACCOUNTS}/{serviceAccount}` as const
const METHOD = 'pollux.v1.ServiceAccounts'
const MISSING = ['RESOURCE_NOT_FOUND'] as const

const ACCOUNT_ENDPOINTS = {
  createServiceAccount: endpoint({
    id: 'pollux.v1.serviceAccounts.create',
    method: 'POST',
    path: ACCOUNTS,
    permission: 'iam.serviceAccounts.create',
    query: z.object({ accountId: z.string().optional() }),
    body: ServiceAccountInput,
    response: ServiceAccountJson,
    errors: [...MISSING, 'ALREADY_EXISTS', 'RESOURCE_QUOTA_EXCEEDED', 'STATE_CONFLICT'],
    audit: `${METHOD}.CreateServiceAccount`,
    summary: 'Makes a service account. It may do nothing until a policy names it.',
  }),
  listServiceAccounts: endpoint({
    id: 'pollux.v1.serviceAccounts.list',
    method: 'GET',
    path: ACCOUNTS,
    permission: 'iam.serviceAccounts.list',
    query: NO_QUERY,
    body: null,
    response: z.object({ accounts: z.array(ServiceAccountJson) }),
    errors: MISSING,
    audit: null,
    summary: 'Lists the service accounts of a project, at most 100, by e-mail.',
  }),
  getServiceAccount: endpoint({
    id: 'pollux.v1.serviceAccounts.get',
    method: 'GET',
    path: ACCOUNT,
    permission: 'iam.serviceAccounts.get',
    query: NO_QUERY,
    body: null,
    response: ServiceAccountJson,
    errors: MISSING,
    audit: null,
    summary: 'Reads a service account by id, e-mail or uniqueId.',
  }),
  deleteServiceAccount: endpoint({
    id: 'pollux.v1.serviceAccounts.delete',
    method: 'DELETE',
    path: ACCOUNT,
    permission: 'iam.serviceAccounts.delete',
    stepUp: true,
    query: NO_QUERY,
    body: null,
    response: z.object({}),
    errors: [...MISSING, 'STATE_CONFLICT'],
    audit: `${METHOD}.DeleteServiceAccount`,
    summary: 'Deletes a service account, its tokens, keys and roles. Its name is never given again.',
  }),
  disableServiceAccount: endpoint({
    id: 'pollux.v1.serviceAccounts.disable',
    method: 'POST',
    path: `${ACCOUNT}:disable`,
    permission: 'iam.serviceAccounts.disable',
    query: NO_QUERY,
    body: z.object({}),
    response: ServiceAccountJson,
    errors: MISSING,
    audit: `${METHOD}.DisableServiceAccount`,
    summary: 'Refuses every token and key of it from the next request on. Idempotent.',
  }),
  enableServiceAccount: endpoint({
    id: 'pollux.v1.serviceAccounts.enable',
    method: 'POST',
    path: `${ACCOUNT}:enable`,
    permission: 'iam.serviceAccounts.enable',
    query: NO_QUERY,
    body: z.object({}),
    response: ServiceAccountJson,
    errors: MISSING,
    audit: `${METHOD}.EnableServiceAccount`,
    summary: 'Lets its tokens and keys count again; only for an account that holds no more than the caller.',
  }),
} as const

const TOKEN_ENDPOINTS = {
  createToken: endpoint({
    id: 'pollux.v1.serviceAccounts.tokens.create',
    method: 'POST',
    path: `${ACCOUNT}/tokens`,
    permission: 'pollux.serviceAccountTokens.create',
    stepUp: true,
    query: NO_QUERY,
    body: TokenInput,
    response: TokenJson,
    errors: [...MISSING, 'RESOURCE_QUOTA_EXCEEDED'],
    audit: `${METHOD}.CreateToken`,
    summary: 'Makes a token, shown in this answer only. The caller must hold all that the account holds.',
  }),
  listTokens: endpoint({
    id: 'pollux.v1.serviceAccounts.tokens.list',
    method: 'GET',
    path: `${ACCOUNT}/tokens`,
    permission: 'pollux.serviceAccountTokens.list',
    query: NO_QUERY,
    body: null,
    response: z.object({ tokens: z.array(TokenJson) }),
    errors: MISSING,
    audit: null,
    summary: 'Lists the tokens of a service account with their last use, at most 20.',
  }),
  deleteToken: endpoint({
    id: 'pollux.v1.serviceAccounts.tokens.delete',
    method: 'DELETE',
    path: `${ACCOUNT}/tokens/{token}`,
    permission: 'pollux.serviceAccountTokens.delete',
    stepUp: true,
    query: NO_QUERY,
    body: null,
    response: z.object({}),
    errors: MISSING,
    audit: `${METHOD}.DeleteToken`,
    summary: 'Refuses the token from the next request on.',
  }),
} as const

const KEY_ENDPOINTS = {
  createServiceAccountKey: endpoint({
    id: 'pollux.v1.serviceAccounts.keys.create',
    method: 'POST',
    path: `${ACCOUNT}/keys`,
    permission: 'iam.serviceAccountKeys.create',
    stepUp: true,
    query: NO_QUERY,
    body: AccountKeyInput,
    response: AccountKeyJson,
    errors: [...MISSING, 'RESOURCE_QUOTA_EXCEEDED'],
    audit: `${METHOD}.CreateServiceAccountKey`,
    summary:
      "Makes a key pair and answers its key file in Google's format, once. The caller must hold all that the account holds.",
  }),
  listServiceAccountKeys: endpoint({
    id: 'pollux.v1.serviceAccounts.keys.list',
    method: 'GET',
    path: `${ACCOUNT}/keys`,
    permission: 'iam.serviceAccountKeys.list',
    query: NO_QUERY,
    body: null,
    response: z.object({ keys: z.array(AccountKeyJson) }),
    errors: MISSING,
    audit: null,
    summary: 'Lists the keys of a service account with their last use, at most 20.',
  }),
  deleteServiceAccountKey: endpoint({
    id: 'pollux.v1.serviceAccounts.keys.delete',
    method: 'DELETE',
    path: `${ACCOUNT}/keys/{key}`,
    permission: 'iam.serviceAccountKeys.delete',
    stepUp: true,
    query: NO_QUERY,
    body: null,
    response: z.object({}),
    errors: MISSING,
    audit: `${METHOD}.DeleteServiceAccountKey`,
    summary: 'Refuses what this key signs from the next request on.',
  }),
} as const

export const SERVICE_ACCOUNTS_V1 = { ...ACCOUNT_ENDPOINTS, ...TOKEN_ENDPOINTS, ...KEY_ENDPOINTS } as const
