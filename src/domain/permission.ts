/** Who operates the management plane and what each may do. Permission names are Google's where Google has one. */

/** Every permission that a route can ask for. */
const PERMISSIONS = [
  'apikeys.keys.create',
  'apikeys.keys.delete',
  'apikeys.keys.get',
  'apikeys.keys.getKeyString',
  'apikeys.keys.list',
  'apikeys.keys.lookup',
  'apikeys.keys.undelete',
  'apikeys.keys.update',
  'serviceusage.operations.get',
  'resourcemanager.projects.create',
  'resourcemanager.projects.delete',
  'resourcemanager.projects.get',
  'resourcemanager.projects.list',
  'resourcemanager.projects.undelete',
  'resourcemanager.projects.update',
  'pollux.budgets.create',
  'pollux.budgets.delete',
  'pollux.budgets.get',
  'pollux.budgets.list',
  'pollux.budgets.update',
  'pollux.ledger.verify',
  'pollux.usage.get',
  'pollux.metrics.get',
] as const

export type Permission = (typeof PERMISSIONS)[number]

/** Roles at the organization. Only the owner exists so far: the bearer of the admin token or of the local token. */
export type Role = 'owner'

const ROLE_PERMISSIONS: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  owner: new Set(PERMISSIONS),
}

/** Who makes a management request. */
export interface Principal {
  /** Stable and public, e.g. `tokens/admin`. Never the token. */
  readonly subject: string
  readonly role: Role
}

/** Whether the principal holds the permission on any resource of the organization. */
export function mayDo(principal: Principal, permission: Permission): boolean {
  return ROLE_PERMISSIONS[principal.role].has(permission)
}
