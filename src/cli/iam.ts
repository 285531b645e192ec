/** `pollux iam`. */
import type { Command } from 'commander'
import type { Client } from '../contract/client.ts'
import type { ResponseOf } from '../contract/endpoint.ts'
import { ORGANIZATION_IAM_V1, PROJECT_IAM_V3 } from '../contract/iam.v3.ts'
import { ROLES, allRoles, isProjectRole, permissionsOf } from '../domain/permission.ts'
import {
  type CommandRow,
  type Invocation,
  type Session,
  addCommand,
  note,
  printJson,
  printTable,
} from './command.ts'
import { usageError } from './errors.ts'
import { projectArgument } from './resource-arguments.ts'

type Policy = ResponseOf<typeof PROJECT_IAM_V3.getIamPolicy>

interface PlaceFlags {
  readonly project?: string
}

interface BindingFlags extends PlaceFlags {
  readonly member: string
  readonly role: string
}

export function addIamCommands(program: Command, session: Session): void {
  const iam = program.command('iam').description('say who may do what')
  addCommand(iam, session, ROLES_COMMAND)
  addCommand(iam, session, POLICY)
  addCommand(iam, session, ADD)
  addCommand(iam, session, REMOVE)
  addCommand(iam, session, TEST)
}

const ROLES_COMMAND: CommandRow<object> = {
  usage: 'roles',
  summary: 'list the roles there are',
  examples: ['pollux iam roles', 'pollux iam roles --json'],
  async run(invocation) {
    if (invocation.flags.json) {
      const roles = allRoles().map(name => ({ name, ...ROLES[name], permissions: [...permissionsOf(name)] }))
      return printJson(invocation, { roles })
    }
    const columns = [
      { title: 'ROLE', isKept: true, isIdentity: true },
      { title: 'FOR', isWhole: true },
      { title: 'DESCRIPTION', isKept: true },
    ]
    const rows = allRoles().map(role => [
      role,
      isProjectRole(role) ? 'organization, project' : 'organization',
      ROLES[role].description,
    ])
    printTable(invocation, { columns, rows }, 'No roles.')
  },
}

const POLICY: CommandRow<PlaceFlags> = {
  usage: 'policy',
  summary: 'list who holds which roles on the organization, or on a project',
  examples: ['pollux iam policy', 'pollux iam policy --project default-project --json'],
  addFlags: addPlaceFlag,
  async run(invocation) {
    printPolicy(invocation, await placeOf(invocation).get())
  },
}

const ADD: CommandRow<BindingFlags> = {
  usage: 'add-binding',
  summary: 'give a member a role',
  examples: [
    'pollux iam add-binding --member user:ada@example.com --role roles/viewer',
    'pollux iam add-binding --project default-project --member user:ada@example.com --role roles/editor',
  ],
  addFlags: addBindingFlags,
  async run(invocation) {
    const { member, role } = invocation.flags
    const place = placeOf(invocation)
    const policy = await place.get()
    const bindings = [...(policy.bindings ?? []), { role, members: [member] }]
    printPolicy(invocation, await place.set({ ...policy, bindings }))
  },
}

const REMOVE: CommandRow<BindingFlags> = {
  usage: 'remove-binding',
  summary: 'take a role from a member',
  examples: ['pollux iam remove-binding --member user:ada@example.com --role roles/viewer'],
  addFlags: addBindingFlags,
  async run(invocation) {
    const { member, role } = invocation.flags
    const place = placeOf(invocation)
    const policy = await place.get()
    const isMeant = (other: string): boolean => other.toLowerCase() === member.toLowerCase()
    const before = policy.bindings ?? []
    if (!before.some(binding => binding.role === role && binding.members?.some(isMeant) === true)) {
      throw usageError(`${member} does not hold ${role} there.`, 'pollux iam policy lists who does.')
    }
    const bindings = before.map(binding =>
      binding.role === role
        ? { role, members: binding.members?.filter(other => !isMeant(other)) ?? [] }
        : binding,
    )
    printPolicy(invocation, await place.set({ ...policy, bindings }))
  },
}

const TEST: CommandRow<PlaceFlags> = {
  usage: 'test <permissions...>',
  summary: 'tell which of these permissions one holds oneself',
  examples: ['pollux iam test apikeys.keys.create pollux.budgets.update --project default-project'],
  addFlags: addPlaceFlag,
  async run(invocation) {
    const { io, args, flags } = invocation
    const answer = await placeOf(invocation).test([...args])
    if (flags.json) return printJson(invocation, answer)
    const held = answer.permissions ?? []
    if (held.length === 0) return note(invocation, 'None of them.')
    io.stdout.write(held.map(permission => `${permission}\n`).join(''))
  },
}

/** The three methods of the policy that the flags name. */
function placeOf({ flags, server }: Invocation<PlaceFlags>) {
  const project = flags.project === undefined ? undefined : projectArgument(flags.project)
  const { client } = server()
  return project === undefined ? organizationPolicy(client) : projectPolicy(client, { project })
}

function organizationPolicy(client: Client) {
  const params = { organization: '1' }
  return {
    get: () => client.call(ORGANIZATION_IAM_V1.getIamPolicy, { params }),
    set: (policy: Policy) => client.call(ORGANIZATION_IAM_V1.setIamPolicy, { params, body: { policy } }),
    test: (permissions: string[]) =>
      client.call(ORGANIZATION_IAM_V1.testIamPermissions, { params, body: { permissions } }),
  }
}

function projectPolicy(client: Client, params: { readonly project: string }) {
  return {
    get: () => client.call(PROJECT_IAM_V3.getIamPolicy, { params }),
    set: (policy: Policy) => client.call(PROJECT_IAM_V3.setIamPolicy, { params, body: { policy } }),
    test: (permissions: string[]) =>
      client.call(PROJECT_IAM_V3.testIamPermissions, { params, body: { permissions } }),
  }
}

function addPlaceFlag(command: Command): void {
  command.option('-p, --project <project>', 'id or number of a project (default: the organization)')
}

function addBindingFlags(command: Command): void {
  addPlaceFlag(command)
  command
    .requiredOption('--member <member>', 'user:EMAIL or serviceAccount:EMAIL')
    .requiredOption('--role <role>', 'one of those that `pollux iam roles` lists')
}

function printPolicy(invocation: Invocation<unknown>, policy: Policy): void {
  if (invocation.flags.json) return printJson(invocation, policy)
  const columns = [
    { title: 'ROLE', isKept: true, isIdentity: true },
    { title: 'MEMBER', isKept: true, isIdentity: true },
  ]
  const rows = (policy.bindings ?? []).flatMap(({ role = '', members = [] }) =>
    members.map(member => [role, member]),
  )
  printTable(
    invocation,
    { columns, rows },
    'Nobody holds a role there. Give one with: pollux iam add-binding',
  )
}
