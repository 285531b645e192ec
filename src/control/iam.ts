/** IAM policies: the same three methods for the organization and for a project. */
import type { BodyOf, ResponseOf } from '../contract/endpoint.ts'
import type { PROJECT_IAM_V3 } from '../contract/iam.v3.ts'
import { ApiError, invalidField } from '../domain/error.ts'
import {
  type Binding,
  type Policy,
  bindingsByRole,
  changedGrants,
  parseBindings,
} from '../domain/iam-policy.ts'
import { type Grant, type Principal, holdsAll, isPermission, mayDo } from '../domain/permission.ts'
import { ORGANIZATION } from '../domain/project.ts'
import { shownName } from '../domain/redaction.ts'
import type { Storage } from '../storage/storage.ts'
import { auditEntry } from './audit.ts'
import type { CallFacts, ManagementCall } from './call.ts'
import { requireProject } from './lookup.ts'
import { projectName } from './resource-names.ts'

type Table = typeof PROJECT_IAM_V3
type PolicyJson = ResponseOf<Table['getIamPolicy']>
type SetBody = BodyOf<Table['setIamPolicy']>

/** A call to one of the two tables: which one is told by the parameters of its path. */
type PolicyCall<Name extends keyof Table> = Omit<ManagementCall<Table[Name]>, 'params'> & {
  readonly params: Readonly<Record<string, string>>
}

/** What a policy hangs on. `project`: its number; null for the organization. */
interface Place {
  readonly name: string
  readonly project: string | null
}

const PERMISSIONS_MAX = 100
/** Of a change without an etag, when somebody else changes the policy at the same time. */
const ATTEMPTS_MAX = 5

export function policyHandlers(storage: Storage) {
  return {
    async getIamPolicy(call: PolicyCall<'getIamPolicy'>): Promise<PolicyJson> {
      const { project } = await requirePlace(storage, call)
      return policyJson(await storage.iam.policy(project))
    },
    async setIamPolicy(call: PolicyCall<'setIamPolicy'>): Promise<PolicyJson> {
      return policyJson(await setPolicy(storage, call, await requirePlace(storage, call, { isLive: true })))
    },
    async testIamPermissions(call: PolicyCall<'testIamPermissions'>) {
      const { project } = await requirePlace(storage, call)
      const { permissions = [] } = call.body
      if (permissions.length > PERMISSIONS_MAX) {
        throw invalidField('permissions', `at most ${PERMISSIONS_MAX} at a time`)
      }
      const wildcard = permissions.find(name => name.includes('*'))
      if (wildcard !== undefined) throw invalidField('permissions', 'wildcards are not allowed')
      // What Pollux does not know, nobody holds: clients ask for permissions of all of Google.
      const held = permissions.filter(name => isPermission(name) && mayDo(call.principal, name, project))
      return held.length === 0 ? {} : { permissions: held }
    },
  }
}

/** Throws IAM_PERMISSION_DENIED unless the principal holds all that each of the grants gives. */
export function assertHoldsAll(principal: Principal, grants: readonly Grant[], deed: string): void {
  const missing = grants.find(grant => !holdsAll(principal, grant))
  if (missing === undefined) return
  const where = missing.project === null ? ORGANIZATION : projectName(missing.project)
  throw new ApiError(
    'IAM_PERMISSION_DENIED',
    `${deed} takes all permissions of ${missing.role} on ${where}, and the caller does not hold them. Nobody can give what they do not hold: ask an owner.`,
    { metadata: { role: missing.role, resource: where } },
  )
}

async function setPolicy(storage: Storage, call: PolicyCall<'setIamPolicy'>, place: Place): Promise<Policy> {
  const { project } = place
  const input = policyInput(call.body)
  const after = parseBindings(input.bindings ?? [], project)
  const given = normalEtag(input.etag)
  for (let attempt = 1; ; attempt += 1) {
    const before = await storage.iam.policy(project)
    if (given !== null && given !== before.etag) throw changedMeanwhile(place)
    assertHoldsAll(
      call.principal,
      changedGrants(before.bindings, after, project),
      'To give or take away a role',
    )
    await assertAccountsExist(storage, before.bindings, after)
    const audit = auditEntry(call, {
      resourceName: place.name,
      projectNumber: project,
      before: { bindings: bindingsByRole(before.bindings) },
      after: { bindings: bindingsByRole(after) },
    })
    try {
      return await storage.iam.setPolicy({ project, etag: before.etag }, after, audit)
    } catch (error) {
      const isRace = error instanceof ApiError && error.reason === 'ETAG_MISMATCH' && given === null
      if (!isRace || attempt === ATTEMPTS_MAX) throw error
    }
  }
}

function policyInput({ policy, updateMask }: SetBody): NonNullable<SetBody['policy']> {
  if (policy === undefined) throw invalidField('policy', 'a policy to set is needed')
  if (updateMask !== undefined && !/(?:^|,)(?:bindings|\*)(?:,|$)/.test(updateMask)) {
    throw invalidField('updateMask', 'bindings are all that can be changed, so it must name them')
  }
  if (policy.bindings?.some(({ condition }) => condition !== undefined) === true) {
    throw invalidField('policy.bindings', 'conditions are not supported; a role is held or it is not')
  }
  if ((policy.auditConfigs ?? []).length > 0) {
    throw invalidField('policy.auditConfigs', 'everything is audited, always')
  }
  if (![undefined, 0, 1, 3].includes(policy.version)) throw invalidField('policy.version', 'must be 1')
  return policy
}

/** Both dialects of base64, with and without padding: proto JSON accepts them all. */
function normalEtag(etag: string | undefined): string | null {
  if (etag === undefined || etag === '') return null
  return Buffer.from(etag, 'base64').toString('base64')
}

/** A name that nobody has could be taken later, by somebody who was not meant. */
async function assertAccountsExist(
  storage: Storage,
  before: readonly Binding[],
  after: readonly Binding[],
): Promise<void> {
  const known = new Set(before.map(({ member }) => member))
  const added = new Set(after.map(({ member }) => member).filter(member => !known.has(member)))
  for (const member of added) {
    const [kind, email = ''] = member.split(':')
    if (kind === 'serviceAccount' && (await storage.serviceAccounts.find(email)) === null) {
      throw invalidField('policy.bindings', `service account ${shownName(email)} does not exist`)
    }
  }
}

async function requirePlace(
  storage: Storage,
  call: CallFacts & { readonly params: Readonly<Record<string, string>> },
  { isLive = false }: { readonly isLive?: boolean } = {},
): Promise<Place> {
  const { organization, project: named } = call.params
  if (named === undefined) {
    if (`organizations/${organization ?? ''}` === ORGANIZATION) return { name: ORGANIZATION, project: null }
    throw new ApiError(
      'RESOURCE_NOT_FOUND',
      `Organization organizations/${shownName(organization ?? '')} does not exist. There is one: ${ORGANIZATION}.`,
    )
  }
  const { number, deleteTimeMs } = await requireProject(storage, named, call)
  if (isLive && deleteTimeMs !== null) {
    throw new ApiError('STATE_CONFLICT', `Project projects/${number} is deleted. Undelete it first.`)
  }
  return { name: projectName(number), project: number }
}

function policyJson({ etag, bindings }: Policy): PolicyJson {
  const byRole = bindingsByRole(bindings).map(({ role, members }) => ({ role, members: [...members] }))
  return { version: 1, etag, ...(byRole.length === 0 ? {} : { bindings: byRole }) }
}

function changedMeanwhile({ name }: Place): ApiError {
  return new ApiError(
    'ETAG_MISMATCH',
    `The policy of ${name} was changed since it was read. Read it again, apply your change to what you find, and send its new etag.`,
  )
}
