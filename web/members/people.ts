/** People as rows: those who may sign in, and those who were only given a role. */
import { isRole } from '../../src/domain/permission.ts'
import { type HeldRole, type PlacedPolicy, membersOf, rolesOf } from './policy.ts'
import type { UserJson } from './queries.ts'

export interface PersonRow {
  readonly email: string
  readonly name: string
  /** Null: a role names the address, but nobody has let it in. */
  readonly user: UserJson | null
  readonly roles: readonly HeldRole[]
}

export const STATE_TEXT = { ACTIVE: 'Active', INVITED: 'Invited', DISABLED: 'Disabled' } as const
export const STATE_LOOK = { ACTIVE: 'fine', INVITED: 'look', DISABLED: 'off' } as const

/** By name. */
export function peopleRows(
  users: readonly UserJson[],
  policies: readonly PlacedPolicy[],
): readonly PersonRow[] {
  const known = new Set(users.map(({ subject }) => subject))
  const strangers = membersOf('user', policies).filter(member => !known.has(member))
  const rows = [
    ...users.map(user => ({
      email: user.email,
      name: user.displayName,
      user,
      roles: [...rolesOf(user.subject, policies), ...issuerRolesOf(user)],
    })),
    ...strangers.map(member => {
      const email = member.slice('user:'.length)
      return { email, name: email, user: null, roles: rolesOf(member, policies) }
    }),
  ]
  return rows.sort((one, other) => one.name.localeCompare(other.name))
}

/** At the organization, for as long as the claims at the issuer say so. */
export function issuerRolesOf({ issuerRoles = [] }: Pick<UserJson, 'issuerRoles'>): readonly HeldRole[] {
  return issuerRoles.filter(isRole).map(role => ({ place: null, role, isFromIssuer: true }))
}

interface Filter {
  readonly q: string
  readonly state: string
  readonly role: string
}

/** `state`: of UserJson, or `NONE` for whoever was not let in. Words match name and address. */
export function filterPeople(rows: readonly PersonRow[], { q, state, role }: Filter): readonly PersonRow[] {
  const words = q.toLowerCase().split(/\s+/)
  return rows.filter(
    row =>
      words.every(word => `${row.name} ${row.email}`.toLowerCase().includes(word)) &&
      (state === '' || (row.user?.state ?? 'NONE') === state) &&
      (role === '' || row.roles.some(held => held.role === role)),
  )
}
