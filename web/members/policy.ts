/** IAM policies as the screens change them: one binding at a time, everything else as it was read. */
import type { ResponseOf } from '../../src/contract/endpoint.ts'
import type { PROJECT_IAM_V3 } from '../../src/contract/iam.v3.ts'
import { type Role, isRole } from '../../src/domain/permission.ts'

export type PolicyJson = ResponseOf<typeof PROJECT_IAM_V3.getIamPolicy>

/** Id of a project; null: the organization. */
export type Place = string | null

export interface PlacedPolicy {
  readonly place: Place
  readonly policy: PolicyJson
}

/** A role that a member holds at a place. */
export interface HeldRole {
  readonly place: Place
  readonly role: Role
  /** By claims at the issuer, and in no policy. */
  readonly isFromIssuer?: true
}

/** The policy with one member more in a role. */
export function withBinding(policy: PolicyJson, role: Role, member: string): PolicyJson {
  const bindings = (policy.bindings ?? []).map(copied)
  const binding = bindings.find(other => other.role === role)
  if (binding === undefined) return { ...policy, bindings: [...bindings, { role, members: [member] }] }
  if (!binding.members.includes(member)) binding.members.push(member)
  return { ...policy, bindings }
}

/** The policy without one member of a role. */
export function withoutBinding(policy: PolicyJson, role: Role, member: string): PolicyJson {
  const bindings = (policy.bindings ?? []).map(copied).map(binding => ({
    ...binding,
    members:
      binding.role === role ? binding.members.filter(other => !isSame(other, member)) : binding.members,
  }))
  return { ...policy, bindings: bindings.filter(({ members }) => members.length > 0) }
}

/** What a member holds, the organization first, as the policies come. */
export function rolesOf(member: string, policies: readonly PlacedPolicy[]): readonly HeldRole[] {
  return policies.flatMap(({ place, policy }) =>
    (policy.bindings ?? []).flatMap(({ role = '', members = [] }) =>
      isRole(role) && members.some(other => isSame(other, member)) ? [{ place, role }] : [],
    ),
  )
}

/** Every member of a kind that some policy names, each once. */
export function membersOf(kind: 'user' | 'serviceAccount', policies: readonly PlacedPolicy[]): string[] {
  const members = policies.flatMap(({ policy }) =>
    (policy.bindings ?? []).flatMap(binding => binding.members ?? []),
  )
  return [...new Set(members)].filter(member => member.startsWith(`${kind}:`)).sort()
}

/** Whether taking this role away would leave the organization without an owner, which the server refuses. */
export function isLastOwner({ place, role }: HeldRole, policies: readonly PlacedPolicy[]): boolean {
  if (place !== null || role !== 'roles/owner') return false
  const organization = policies.find(other => other.place === null)
  const owners = organization?.policy.bindings?.find(binding => binding.role === role)?.members ?? []
  return owners.length <= 1
}

function copied({ role, members = [] }: NonNullable<PolicyJson['bindings']>[number]) {
  return { ...(role === undefined ? {} : { role }), members: [...members] }
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}
