/** IAM policies (google.iam.v1.Policy): which members hold which roles on the organization or a project. */
import { invalidField } from './error.ts'
import { type Grant, type Role, isProjectRole, isRole } from './permission.ts'
import { shownName } from './redaction.ts'

/** One role of one member on one resource. */
export interface Binding {
  readonly role: Role
  /** `user:EMAIL` or `serviceAccount:EMAIL`, in lower case. */
  readonly member: string
}

export interface Policy {
  /** Base64, as proto JSON writes bytes. */
  readonly etag: string
  readonly bindings: readonly Binding[]
}

/** The etag of a policy that nobody ever set (Google's own is the same: two bytes, 0x00 0x20). */
export const EMPTY_POLICY_ETAG = 'ACAB'

/** Members of one policy, counted once for each role (Google allows 1,500 principals). */
const BINDINGS_MAX = 1_500

const MEMBER = /^(user|serviceAccount):([^\s@:]{1,64}@[a-z0-9.-]{1,190})$/i

/** What a client sends: google.iam.v1.Binding without what was never meant. */
export interface BindingInput {
  readonly role?: string | undefined
  readonly members?: readonly string[] | undefined
}

/** The bindings of a policy in order, each once. `project` null: of the organization. FIELD_INVALID names what is wrong. */
export function parseBindings(inputs: readonly BindingInput[], project: string | null): readonly Binding[] {
  const bindings = new Map<string, Binding>()
  for (const [index, { role = '', members = [] }] of inputs.entries()) {
    const where = `policy.bindings[${index}]`
    if (!isRole(role)) {
      throw invalidField(
        `${where}.role`,
        `Role ${shownName(role)} is not supported. \`pollux iam roles\` lists all.`,
      )
    }
    if (project !== null && !isProjectRole(role)) {
      throw invalidField(`${where}.role`, `Role ${role} can be granted on the organization only`)
    }
    for (const [place, text] of members.entries()) {
      const member = parseMember(text, `${where}.members[${place}]`)
      bindings.set(`${role} ${member}`, { role, member })
    }
  }
  if (bindings.size > BINDINGS_MAX) throw invalidField('policy.bindings', `at most ${BINDINGS_MAX} members`)
  return [...bindings.values()].sort(inOrder)
}

/** A member in its stored form. Wildcards are refused: nobody holds anything here without a name. */
function parseMember(text: string, field: string): string {
  const [, kind, email] = MEMBER.exec(text) ?? []
  if (kind !== undefined && email !== undefined) {
    return `${kind.toLowerCase() === 'user' ? 'user' : 'serviceAccount'}:${email.toLowerCase()}`
  }
  throw invalidField(
    field,
    `${shownName(text)} is no member that can be let in. Write user:EMAIL or serviceAccount:EMAIL; allUsers, allAuthenticatedUsers, domains and groups are refused.`,
  )
}

/** What was added or taken away between two policies of one resource. */
export function changedGrants(
  before: readonly Binding[],
  after: readonly Binding[],
  project: string | null,
): readonly Grant[] {
  const keys = (bindings: readonly Binding[]) => new Set(bindings.map(keyOf))
  const [was, is] = [keys(before), keys(after)]
  const changed = [
    ...after.filter(binding => !was.has(keyOf(binding))),
    ...before.filter(binding => !is.has(keyOf(binding))),
  ]
  return [...new Set(changed.map(({ role }) => role))].map(role => ({ role, project }))
}

/** Bindings as Google writes them: one entry for each role. */
export function bindingsByRole(
  bindings: readonly Binding[],
): readonly { readonly role: Role; readonly members: readonly string[] }[] {
  const byRole = new Map<Role, string[]>()
  for (const { role, member } of [...bindings].sort(inOrder)) {
    byRole.set(role, [...(byRole.get(role) ?? []), member])
  }
  return [...byRole].map(([role, members]) => ({ role, members }))
}

function keyOf({ role, member }: Binding): string {
  return `${role} ${member}`
}

function inOrder(one: Binding, other: Binding): number {
  return keyOf(one) < keyOf(other) ? -1 : 1
}
