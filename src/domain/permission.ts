/** Who operates the management plane and what each may do. Names of roles and permissions are Google's where Google has one. */

/** Every role, and what it is for. */
export const ROLES = {
  'roles/owner': { title: 'Owner', description: 'Everything, and letting others in.' },
  'roles/editor': {
    title: 'Editor',
    description: 'Keys, and the settings of projects. No money, no access of others.',
  },
  'roles/viewer': {
    title: 'Viewer',
    description: 'Reads everything but keyStrings, bodies of calls and access of others.',
  },
  'roles/serviceusage.apiKeysAdmin': { title: 'API Keys Admin', description: 'Keys, with their keyStrings.' },
  'roles/serviceusage.apiKeysViewer': {
    title: 'API Keys Viewer',
    description: 'Reads keys, without their keyStrings.',
  },
  'roles/pollux.keyStringViewer': {
    title: 'keyString Viewer',
    description: 'Reads keys, with their keyStrings.',
  },
  'roles/pollux.bodyViewer': {
    title: 'Body Viewer',
    description: 'Reads calls with their bodies, where they are kept.',
  },
  'roles/billing.admin': { title: 'Billing Admin', description: 'Budgets, usage and the ledger.' },
  'roles/pollux.auditor': {
    title: 'Auditor',
    description:
      'Reads everything but keyStrings and bodies of calls, who may do what included. Changes nothing.',
  },
  'roles/resourcemanager.projectCreator': {
    title: 'Project Creator',
    description: 'Makes projects, which it then owns.',
  },
  'roles/iam.serviceAccountAdmin': {
    title: 'Service Account Admin',
    description: 'Service accounts, without their credentials.',
  },
  'roles/iam.serviceAccountKeyAdmin': {
    title: 'Service Account Key Admin',
    description: 'Tokens and keys of service accounts that hold no more than oneself.',
  },
  'roles/monitoring.viewer': { title: 'Monitoring Viewer', description: 'Reads the metrics.' },
} as const satisfies Readonly<Record<string, { readonly title: string; readonly description: string }>>

export type Role = keyof typeof ROLES

/** Roles that say something about the organization only, and cannot be granted on a project. */
const ORGANIZATION_ROLES: ReadonlySet<Role> = new Set<Role>([
  'roles/resourcemanager.projectCreator',
  'roles/monitoring.viewer',
])

const EDITOR = 'roles/editor'
const VIEWER = 'roles/viewer'
const AUDITOR = 'roles/pollux.auditor'
const BODIES = 'roles/pollux.bodyViewer'
const BILLING = 'roles/billing.admin'
const KEYS_ADMIN = 'roles/serviceusage.apiKeysAdmin'
const KEYS_VIEWER = 'roles/serviceusage.apiKeysViewer'
const KEY_STRINGS = 'roles/pollux.keyStringViewer'
const ACCOUNT_ADMIN = 'roles/iam.serviceAccountAdmin'
const ACCOUNT_KEY_ADMIN = 'roles/iam.serviceAccountKeyAdmin'
const PROJECT_CREATOR = 'roles/resourcemanager.projectCreator'

const READ_KEYS = [EDITOR, VIEWER, AUDITOR, KEYS_ADMIN, KEYS_VIEWER, KEY_STRINGS] as const
const READ_MONEY = [EDITOR, VIEWER, AUDITOR, BILLING] as const
const READ_ACCOUNTS = [EDITOR, VIEWER, AUDITOR, ACCOUNT_ADMIN, ACCOUNT_KEY_ADMIN] as const
const READ_CREDENTIALS = [AUDITOR, ACCOUNT_ADMIN, ACCOUNT_KEY_ADMIN] as const
const READ_PROJECTS = [...READ_KEYS, BODIES, BILLING, ACCOUNT_ADMIN, ACCOUNT_KEY_ADMIN] as const

/**
 * Every permission that a route can ask for, and the roles that hold it. An owner holds all, so a new permission with no
 * other holder is an empty list.
 */
const HOLDERS = {
  'apikeys.keys.create': [EDITOR, KEYS_ADMIN],
  'apikeys.keys.delete': [EDITOR, KEYS_ADMIN],
  'apikeys.keys.get': READ_KEYS,
  'apikeys.keys.getKeyString': [EDITOR, KEYS_ADMIN, KEY_STRINGS],
  'apikeys.keys.list': READ_KEYS,
  'apikeys.keys.lookup': READ_KEYS,
  'apikeys.keys.undelete': [EDITOR, KEYS_ADMIN],
  'apikeys.keys.update': [EDITOR, KEYS_ADMIN],
  'serviceusage.operations.get': [EDITOR, VIEWER, AUDITOR, KEYS_ADMIN],
  'resourcemanager.organizations.getIamPolicy': [AUDITOR],
  'resourcemanager.organizations.setIamPolicy': [],
  'resourcemanager.projects.create': [PROJECT_CREATOR],
  'resourcemanager.projects.delete': [],
  'resourcemanager.projects.get': READ_PROJECTS,
  'resourcemanager.projects.getIamPolicy': [AUDITOR],
  'resourcemanager.projects.list': READ_PROJECTS,
  'resourcemanager.projects.setIamPolicy': [],
  'resourcemanager.projects.undelete': [],
  'resourcemanager.projects.update': [EDITOR],
  'iam.serviceAccounts.create': [ACCOUNT_ADMIN],
  'iam.serviceAccounts.delete': [ACCOUNT_ADMIN],
  'iam.serviceAccounts.disable': [ACCOUNT_ADMIN],
  'iam.serviceAccounts.enable': [ACCOUNT_ADMIN],
  'iam.serviceAccounts.get': READ_ACCOUNTS,
  'iam.serviceAccounts.list': READ_ACCOUNTS,
  'iam.serviceAccountKeys.create': [ACCOUNT_KEY_ADMIN],
  'iam.serviceAccountKeys.delete': [ACCOUNT_KEY_ADMIN],
  'iam.serviceAccountKeys.list': READ_CREDENTIALS,
  'pollux.serviceAccountTokens.create': [ACCOUNT_KEY_ADMIN],
  'pollux.serviceAccountTokens.delete': [ACCOUNT_KEY_ADMIN],
  'pollux.serviceAccountTokens.list': READ_CREDENTIALS,
  'logging.logEntries.list': [AUDITOR],
  'pollux.audit.verify': [AUDITOR],
  'pollux.secrets.rekey': [],
  'pollux.budgets.create': [BILLING],
  'pollux.budgets.delete': [BILLING],
  'pollux.budgets.get': READ_MONEY,
  'pollux.budgets.list': READ_MONEY,
  'pollux.budgets.update': [BILLING],
  'pollux.ledger.verify': [AUDITOR, BILLING],
  'pollux.quotas.get': READ_MONEY,
  'pollux.quotas.update': [EDITOR, BILLING],
  'pollux.tiers.delete': [BILLING],
  'pollux.tiers.get': READ_MONEY,
  'pollux.tiers.update': [BILLING],
  'pollux.prices.get': READ_MONEY,
  'pollux.prices.list': READ_MONEY,
  'pollux.priceOverrides.create': [BILLING],
  'pollux.priceOverrides.delete': [BILLING],
  'pollux.priceOverrides.list': READ_MONEY,
  'pollux.usage.get': [...READ_MONEY, BODIES],
  'pollux.calls.getBodies': [BODIES],
  'pollux.bodySettings.update': [],
  'pollux.metrics.get': [AUDITOR, 'roles/monitoring.viewer'],
  'pollux.users.create': [],
  'pollux.users.get': [AUDITOR],
  'pollux.users.list': [AUDITOR],
  'pollux.users.update': [],
} as const satisfies Readonly<Record<string, readonly Exclude<Role, 'roles/owner'>[]>>

export type Permission = keyof typeof HOLDERS

const ROLE_PERMISSIONS: ReadonlyMap<Role, ReadonlySet<Permission>> = new Map(
  allRoles().map(role => [
    role,
    new Set(allPermissions().filter(permission => role === 'roles/owner' || isHolder(role, permission))),
  ]),
)

/** A role at the organization (`project` null), which holds in every project, or in the project of this number. */
export interface Grant {
  readonly role: Role
  readonly project: string | null
}

/** What a credential is narrowed to, whatever its principal may do. null: not narrowed. */
export interface Limits {
  readonly permissions: readonly Permission[] | null
  /** Number of the one project in which the credential counts. */
  readonly project: string | null
}

/** Who makes a management request. */
export interface Principal {
  /** Stable and public: `user:EMAIL`, `serviceAccount:EMAIL` or `tokens/admin`. Never a token. */
  readonly subject: string
  readonly grants: readonly Grant[]
  readonly limits?: Limits
}

/** The one grant of those who have the machine: the admin token, and the local tokens. */
export const ORGANIZATION_OWNER: readonly Grant[] = [{ role: 'roles/owner', project: null }]

export function allRoles(): readonly Role[] {
  return Object.keys(ROLES) as Role[]
}

export function allPermissions(): readonly Permission[] {
  return Object.keys(HOLDERS) as Permission[]
}

/** Those that change nothing and reveal neither keyStrings nor bodies of calls: what a read-only scope leaves. */
export function readingPermissions(): readonly Permission[] {
  return allPermissions().filter(permission => /\.(?:get|list|lookup|getIamPolicy|verify)$/.test(permission))
}

export function isRole(name: string): name is Role {
  return Object.hasOwn(ROLES, name)
}

export function isPermission(name: string): name is Permission {
  return Object.hasOwn(HOLDERS, name)
}

/** Whether the role means anything on a project. */
export function isProjectRole(role: Role): boolean {
  return !ORGANIZATION_ROLES.has(role)
}

export function permissionsOf(role: Role): ReadonlySet<Permission> {
  return ROLE_PERMISSIONS.get(role) ?? new Set()
}

/** Whether the principal holds the permission in the project of this number; null asks for the organization itself. */
export function mayDo(principal: Principal, permission: Permission, project: string | null): boolean {
  const { grants, limits } = principal
  if (limits !== undefined) {
    if (limits.permissions !== null && !limits.permissions.includes(permission)) return false
    if (limits.project !== null && limits.project !== project) return false
  }
  return grants.some(grant => reaches(grant, project) && permissionsOf(grant.role).has(permission))
}

/** Where the principal holds the permission: everywhere, or in the projects of these numbers. */
export function whereMayDo(principal: Principal, permission: Permission): 'everywhere' | readonly string[] {
  if (mayDo(principal, permission, null)) return 'everywhere'
  const { grants, limits } = principal
  const named = [...grants.map(({ project }) => project), limits?.project ?? null].filter(
    project => project !== null,
  )
  return [...new Set(named)].filter(project => mayDo(principal, permission, project))
}

/** Whether anything at all was granted to the principal in the project of this number; null: at the organization. */
export function isMember({ grants, limits }: Principal, project: string | null): boolean {
  if (limits !== undefined && limits.project !== null && limits.project !== project) return false
  return grants.some(grant => reaches(grant, project))
}

/** Whether the principal holds all that the grant gives: only then may it give it, or take it away. */
export function holdsAll(principal: Principal, { role, project }: Grant): boolean {
  return [...permissionsOf(role)].every(permission => mayDo(principal, permission, project))
}

/** Whether a credential with the limits `inner` can do nothing that one with `outer` cannot. */
export function isWithin(inner: Limits, outer: Limits | undefined): boolean {
  if (outer === undefined) return true
  const { permissions, project } = outer
  const isProjectWithin = project === null || inner.project === project
  return (
    isProjectWithin &&
    (permissions === null || (inner.permissions?.every(name => permissions.includes(name)) ?? false))
  )
}

function reaches(grant: Grant, project: string | null): boolean {
  return grant.project === null || grant.project === project
}

function isHolder(role: Role, permission: Permission): boolean {
  const holders: readonly Role[] = HOLDERS[permission]
  return holders.includes(role)
}
