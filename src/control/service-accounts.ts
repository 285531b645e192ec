/** Service accounts, their tokens and keys. Who makes a credential must hold all that its account holds. */
import { generateKeyPair, randomBytes, randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import type { BodyOf, ResponseOf } from '../contract/endpoint.ts'
import type { SERVICE_ACCOUNTS_V1 } from '../contract/service-accounts.v1.ts'
import { digestOf } from '../domain/digest.ts'
import { ApiError, invalidField } from '../domain/error.ts'
import { maskKeyString, mintKeyString } from '../domain/keystring.ts'
import { type Limits, isMember, isPermission, isWithin } from '../domain/permission.ts'
import type { Project } from '../domain/project.ts'
import { shownName } from '../domain/redaction.ts'
import {
  type ServiceAccount,
  type ServiceAccountKey,
  type ServiceAccountToken,
  accountEmail,
  accountSubject,
  assertAccountId,
  assertAccountTexts,
  credentialExpiry,
} from '../domain/service-account.ts'
import type { Storage } from '../storage/storage.ts'
import { auditEntry } from './audit.ts'
import { projectMissing } from './authorize.ts'
import type { AnyCall, Handlers, ManagementCall } from './call.ts'
import { assertHoldsAll } from './iam.ts'
import type { KeysContext } from './keys.ts'
import { requireProject } from './lookup.ts'
import { projectName, timeJson } from './resource-names.ts'

type Table = typeof SERVICE_ACCOUNTS_V1
type AccountJson = ResponseOf<Table['getServiceAccount']>
type TokenJson = ResponseOf<Table['createToken']>
type AccountKeyJson = ResponseOf<Table['createServiceAccountKey']>

const NO_LIMITS: Limits = { permissions: null, project: null }
const KEY_BITS = 2_048
const newKeyPair = promisify(generateKeyPair)

export function serviceAccountHandlers(context: KeysContext): Handlers<Table> {
  const { storage } = context
  return {
    ...accountHandlers(storage),
    createToken: call => createToken(context, call),
    async listTokens(call) {
      const account = await requireAccount(storage, call)
      const tokens = await storage.serviceAccounts.listTokens(account.uid)
      return { tokens: tokens.map(token => tokenJson(account, token)) }
    },
    async deleteToken(call) {
      const account = await requireAccount(storage, call)
      const tokens = await storage.serviceAccounts.listTokens(account.uid)
      const token = tokens.find(({ uid }) => uid === call.params.token)
      if (token === undefined) throw credentialMissing('Token', call.params.token, account)
      const audit = accountAudit(call, account, {
        path: `tokens/${token.uid}`,
        before: tokenAuditState(token),
      })
      await storage.serviceAccounts.deleteToken(account.uid, token.uid, audit)
      return {}
    },
    createServiceAccountKey: call => createKey(context, call),
    async listServiceAccountKeys(call) {
      const account = await requireAccount(storage, call)
      const keys = await storage.serviceAccounts.listKeys(account.uid)
      return { keys: keys.map(key => accountKeyJson(account, key)) }
    },
    async deleteServiceAccountKey(call) {
      const account = await requireAccount(storage, call)
      const keys = await storage.serviceAccounts.listKeys(account.uid)
      const key = keys.find(({ keyId }) => keyId === call.params.key)
      if (key === undefined) throw credentialMissing('Key', call.params.key, account)
      const before = { keyId: key.keyId, expireTimeMs: key.expireTimeMs }
      const audit = accountAudit(call, account, { path: `keys/${key.keyId}`, before })
      await storage.serviceAccounts.deleteKey(account.uid, key.keyId, audit)
      return {}
    },
  }
}

type AccountMethods =
  | 'createServiceAccount'
  | 'listServiceAccounts'
  | 'getServiceAccount'
  | 'deleteServiceAccount'
  | 'disableServiceAccount'
  | 'enableServiceAccount'

function accountHandlers(storage: Storage): Pick<Handlers<Table>, AccountMethods> {
  return {
    async createServiceAccount(call) {
      const project = await requireProject(storage, call.params.project, call)
      const { accountId } = call.query
      if (accountId === undefined) throw invalidField('accountId', 'a service account needs an id')
      assertAccountId(accountId)
      const { displayName = '', description = '' } = call.body
      assertAccountTexts(displayName, description)
      const email = accountEmail(accountId, project.projectId)
      const draft = { projectNumber: project.number, email, displayName, description }
      const audit = accountAudit(call, draft, { after: { email, displayName, description } })
      return accountJson(await storage.serviceAccounts.create(draft, audit))
    },
    async listServiceAccounts(call) {
      const project = await requireProject(storage, call.params.project, call)
      return { accounts: (await storage.serviceAccounts.list(project.number)).map(accountJson) }
    },
    getServiceAccount: async call => accountJson(await requireAccount(storage, call)),
    async deleteServiceAccount(call) {
      const account = await requireAccount(storage, call)
      const grants = await storage.iam.grantsOf(accountSubject(account))
      const before = { ...accountAuditState(account), grants }
      await storage.serviceAccounts.delete(account.uid, accountAudit(call, account, { before }))
      return {}
    },
    async disableServiceAccount(call) {
      return accountJson(await setDisabled(storage, call, { disabled: true }))
    },
    async enableServiceAccount(call) {
      const account = await requireAccount(storage, call)
      await assertMayActAs(storage, call, account)
      return accountJson(await setDisabled(storage, call, { disabled: false }))
    },
  }
}

type AccountCall = AnyCall & {
  readonly params: { readonly project: string; readonly serviceAccount: string }
}

async function setDisabled(
  storage: Storage,
  call: AccountCall,
  { disabled }: { readonly disabled: boolean },
): Promise<ServiceAccount> {
  const account = await requireAccount(storage, call)
  if ((account.disabledTimeMs !== null) === disabled) return account
  const audit = accountAudit(call, account, {
    before: accountAuditState(account),
    after: { ...accountAuditState(account), disabled },
  })
  return await storage.serviceAccounts.setDisabled(account.uid, disabled, audit)
}

async function createToken(
  { storage, now }: KeysContext,
  call: ManagementCall<Table['createToken']>,
): Promise<TokenJson> {
  const account = await requireAccount(storage, call)
  const { displayName = '', expireTime } = call.body
  assertAccountTexts(displayName)
  const limits = await limitsOf(storage, call)
  await assertMayActAs(storage, call, account, limits)
  const token = mintKeyString('token')
  const draft = {
    uid: randomUUID(),
    accountUid: account.uid,
    displayName,
    limits,
    maskedToken: maskKeyString(token),
    expireTimeMs: credentialExpiry(expireTime, now()),
  }
  const after = { displayName, limits, expireTimeMs: draft.expireTimeMs }
  const audit = accountAudit(call, account, { path: `tokens/${draft.uid}`, after })
  const made = await storage.serviceAccounts.createToken({ ...draft, digest: digestOf(token) }, audit)
  return { ...tokenJson(account, made), token }
}

async function createKey(
  { storage, now }: KeysContext,
  call: ManagementCall<Table['createServiceAccountKey']>,
): Promise<AccountKeyJson> {
  const account = await requireAccount(storage, call)
  await assertMayActAs(storage, call, account)
  const expireTimeMs = credentialExpiry(call.body.validBeforeTime, now())
  const { publicKey, privateKey } = await newKeyPair('rsa', {
    modulusLength: KEY_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const keyId = randomBytes(20).toString('hex')
  const draft = { accountUid: account.uid, keyId, publicKey, expireTimeMs }
  const audit = accountAudit(call, account, { path: `keys/${keyId}`, after: { keyId, expireTimeMs } })
  const made = await storage.serviceAccounts.createKey(draft, audit)
  const file = `${JSON.stringify(keyFile(account, { keyId, privateKey }), null, 2)}\n`
  return {
    ...accountKeyJson(account, made),
    privateKeyType: 'TYPE_GOOGLE_CREDENTIALS_FILE',
    privateKeyData: Buffer.from(file).toString('base64'),
  }
}

/** The fields that Google's clients read of a key file, under their names. */
function keyFile(
  { projectId, email, uid }: ServiceAccount,
  { keyId, privateKey }: { readonly keyId: string; readonly privateKey: string },
) {
  return {
    type: 'service_account',
    project_id: projectId,
    private_key_id: keyId,
    private_key: privateKey,
    client_email: email,
    client_id: uid,
    // Nothing is exchanged here, and .invalid (RFC 2606) keeps clients from asking a stranger to.
    token_uri: 'https://pollux.invalid/token',
    universe_domain: 'googleapis.com',
  }
}

/** What a new token is narrowed to. A project that the caller is no member of does not exist for it. */
async function limitsOf(storage: Storage, call: ManagementCall<Table['createToken']>): Promise<Limits> {
  const { permissions: names, project: named }: BodyOf<Table['createToken']> = call.body
  const unknown = names?.find(name => !isPermission(name))
  if (unknown !== undefined) throw invalidField('permissions', `${shownName(unknown)} is no permission`)
  if (names?.length === 0) throw invalidField('permissions', 'name at least one, or leave the field out')
  const permissions = names === undefined ? null : [...new Set(names.filter(isPermission))]
  if (named === undefined) return { permissions, project: null }
  const project = await storage.projects.find(named)
  if (project === null || !isMember(call.principal, project.number))
    throw projectMissing(named, call.endpoint)
  return { permissions, project: project.number }
}

/**
 * IAM_PERMISSION_DENIED unless the caller holds all that the account holds now; and a caller with a narrowed credential makes
 * none that is wider, for the account may be given more later.
 */
async function assertMayActAs(
  storage: Storage,
  { principal }: AnyCall,
  account: ServiceAccount,
  limits: Limits = NO_LIMITS,
): Promise<void> {
  const grants = await storage.iam.grantsOf(accountSubject(account))
  assertHoldsAll(principal, grants, `To act as ${account.email}`)
  if (isWithin(limits, principal.limits)) return
  throw new ApiError(
    'IAM_PERMISSION_DENIED',
    'The credential of this request is narrowed to some permissions or a project, and cannot make one that is wider.',
  )
}

/** The account of a request, by id, e-mail or uid, in the project that the request names. */
async function requireAccount(storage: Storage, call: AccountCall): Promise<ServiceAccount> {
  const project = await requireProject(storage, call.params.project, call)
  const { serviceAccount: named } = call.params
  const account = await storage.serviceAccounts.find(nameOf(named, project))
  if (account !== null && account.projectNumber === project.number) return account
  throw new ApiError(
    'RESOURCE_NOT_FOUND',
    `Service account '${shownName(named)}' does not exist in projects/${project.projectId}. List the service accounts to see all.`,
  )
}

const UID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/

function nameOf(named: string, { projectId }: Project): string {
  return named.includes('@') || UID.test(named) ? named.toLowerCase() : accountEmail(named, projectId)
}

function credentialMissing(kind: 'Token' | 'Key', id: string, { email }: ServiceAccount): ApiError {
  return new ApiError(
    'RESOURCE_NOT_FOUND',
    `${kind} '${shownName(id)}' of ${email} does not exist. List the ${kind.toLowerCase()}s to see all.`,
  )
}

function accountName({ projectNumber, email }: Pick<ServiceAccount, 'projectNumber' | 'email'>): string {
  return `${projectName(projectNumber)}/serviceAccounts/${email}`
}

function accountAudit(
  call: AnyCall,
  account: Pick<ServiceAccount, 'projectNumber' | 'email'>,
  change: { readonly path?: string; readonly before?: unknown; readonly after?: unknown },
) {
  const { path, before = null, after = null } = change
  const name = accountName(account)
  return auditEntry(call, {
    resourceName: path === undefined ? name : `${name}/${path}`,
    projectNumber: account.projectNumber,
    before,
    after,
  })
}

function accountAuditState({ uid, email, displayName, description, disabledTimeMs }: ServiceAccount) {
  return { uid, email, displayName, description, disabled: disabledTimeMs !== null }
}

function tokenAuditState({ displayName, maskedToken, limits, expireTimeMs }: ServiceAccountToken) {
  return { displayName, maskedToken, limits, expireTimeMs }
}

function accountJson(account: ServiceAccount): AccountJson {
  const { displayName, description } = account
  return {
    name: accountName(account),
    projectId: account.projectId,
    uniqueId: account.uid,
    email: account.email,
    ...(displayName === '' ? {} : { displayName }),
    ...(description === '' ? {} : { description }),
    disabled: account.disabledTimeMs !== null,
    etag: account.etag,
    createTime: timeJson(account.createTimeMs),
    updateTime: timeJson(account.updateTimeMs),
  }
}

function tokenJson(account: ServiceAccount, token: ServiceAccountToken): TokenJson {
  const { permissions, project } = token.limits
  return {
    name: `${accountName(account)}/tokens/${token.uid}`,
    ...(token.displayName === '' ? {} : { displayName: token.displayName }),
    maskedToken: token.maskedToken,
    ...(permissions === null ? {} : { permissions: [...permissions] }),
    ...(project === null ? {} : { project }),
    createTime: timeJson(token.createTimeMs),
    expireTime: timeJson(token.expireTimeMs),
    ...(token.lastUsedTimeMs === null ? {} : { lastUsedTime: timeJson(token.lastUsedTimeMs) }),
  }
}

function accountKeyJson(account: ServiceAccount, key: ServiceAccountKey): AccountKeyJson {
  return {
    name: `${accountName(account)}/keys/${key.keyId}`,
    keyAlgorithm: 'KEY_ALG_RSA_2048',
    validAfterTime: timeJson(key.createTimeMs),
    validBeforeTime: timeJson(key.expireTimeMs),
    ...(key.lastUsedTimeMs === null ? {} : { lastUsedTime: timeJson(key.lastUsedTimeMs) }),
  }
}
