/** `pollux users` and `pollux setup-link`. */
import type { Command } from 'commander'
import type { ResponseOf } from '../contract/endpoint.ts'
import { USERS_V1 } from '../contract/users.v1.ts'
import {
  type CommandRow,
  type Invocation,
  type Session,
  addCommand,
  note,
  printJson,
  printTable,
  shownTime,
} from './command.ts'
import { printable } from './printable.ts'

type User = ResponseOf<typeof USERS_V1.disableUser>

export function addUserCommands(program: Command, session: Session): void {
  const users = program.command('users').description('people who may sign in')
  addCommand(users, session, LIST)
  addCommand(users, session, GET)
  addCommand(users, session, INVITE)
  addCommand(users, session, RESET_LINK)
  addCommand(users, session, DISABLE)
  addCommand(users, session, ENABLE)
  addCommand(users, session, SIGN_OUT)
  addCommand(program, session, SETUP_LINK)
}

const PAGE_SIZE_MAX = 300

const LIST: CommandRow<object> = {
  usage: 'list',
  summary: 'list the people who may sign in',
  examples: ['pollux users list', 'pollux users list --json'],
  async run(invocation) {
    const { client } = invocation.server()
    const users: User[] = []
    let pageToken: string | undefined
    do {
      const query = { pageSize: PAGE_SIZE_MAX, ...(pageToken === undefined ? {} : { pageToken }) }
      const page = await client.call(USERS_V1.listUsers, { query })
      users.push(...page.users)
      pageToken = page.nextPageToken
    } while (pageToken !== undefined)
    if (invocation.flags.json) return printJson(invocation, { users })
    const columns = [
      { title: 'EMAIL', isKept: true },
      { title: 'NAME' },
      { title: 'STATE', isWhole: true },
      { title: 'LAST SIGN-IN', isWhole: true },
    ]
    const rows = users.map(({ email, displayName, state, lastSignInTime }) => [
      email,
      displayName,
      state,
      shownTime(invocation, lastSignInTime, 'never'),
    ])
    printTable(
      invocation,
      { columns, rows },
      'Nobody may sign in yet. `pollux setup-link` prints the first link.',
    )
  },
}

const GET: CommandRow<object> = {
  usage: 'get <email>',
  summary: 'show one person, and where they are signed in',
  examples: ['pollux users get ada@example.com'],
  async run(invocation) {
    const user = await invocation.server().client.call(USERS_V1.getUser, { params: userOf(invocation) })
    if (invocation.flags.json) return printJson(invocation, user)
    printUser(invocation, user, user.state.toLowerCase())
    const columns = [
      { title: 'SIGNED IN', isKept: true },
      { title: 'LAST SEEN', isWhole: true },
      { title: 'BY' },
      { title: 'FROM' },
    ]
    const rows = user.sessions.map(({ createTime, lastSeenTime, method, callerIp }) => [
      shownTime(invocation, createTime),
      shownTime(invocation, lastSeenTime),
      method,
      callerIp,
    ])
    printTable(invocation, { columns, rows }, 'Not signed in anywhere.')
  },
}

const INVITE: CommandRow<{ readonly displayName?: string; readonly role?: string }> = {
  usage: 'invite <email>',
  summary: 'let somebody in, and print the link (of one use, 72 hours) with which they do come in',
  examples: ['pollux users invite grace@example.com --role roles/editor'],
  addFlags: command =>
    command
      .option('--display-name <name>', 'how the person is called')
      .option('--role <role>', 'role at the organization, e.g. roles/viewer (default: none yet)'),
  async run(invocation) {
    const { displayName, role } = invocation.flags
    const body = {
      email: userOf(invocation).user,
      ...(displayName === undefined ? {} : { displayName }),
      ...(role === undefined ? {} : { role }),
    }
    const invited = await invocation.server().client.call(USERS_V1.inviteUser, { body })
    printLink(invocation, invited, `Send it to ${invited.email} and to nobody else.`)
  },
}

const RESET_LINK: CommandRow<object> = {
  usage: 'reset-link <email>',
  summary: 'print a link (of one use, one hour) for somebody who cannot sign in any more',
  examples: ['pollux users reset-link ada@example.com'],
  async run(invocation) {
    const params = userOf(invocation)
    const user = await invocation.server().client.call(USERS_V1.issueResetLink, { params, body: {} })
    printLink(
      invocation,
      user,
      `Send it to ${user.email} and to nobody else. Their sessions end when they use it.`,
    )
  },
}

const DISABLE: CommandRow<object> = {
  usage: 'disable <email>',
  summary: 'shut somebody out at once',
  examples: ['pollux users disable ada@example.com'],
  async run(invocation) {
    const params = userOf(invocation)
    const user = await invocation.server().client.call(USERS_V1.disableUser, { params, body: {} })
    if (invocation.flags.json) return printJson(invocation, user)
    printUser(invocation, user, 'is disabled, and signed out everywhere')
  },
}

const ENABLE: CommandRow<object> = {
  usage: 'enable <email>',
  summary: 'let somebody sign in again',
  examples: ['pollux users enable ada@example.com'],
  async run(invocation) {
    const params = userOf(invocation)
    const user = await invocation.server().client.call(USERS_V1.enableUser, { params, body: {} })
    if (invocation.flags.json) return printJson(invocation, user)
    printUser(invocation, user, 'may sign in again')
  },
}

const SIGN_OUT: CommandRow<object> = {
  usage: 'sign-out <email>',
  summary: "end all of somebody's sessions",
  examples: ['pollux users sign-out ada@example.com'],
  async run(invocation) {
    const params = userOf(invocation)
    const reply = await invocation.server().client.call(USERS_V1.signOutUser, { params, body: {} })
    if (invocation.flags.json) return printJson(invocation, reply)
    note(invocation, `${reply.ended} ${reply.ended === 1 ? 'session has' : 'sessions have'} ended.`)
  },
}

const SETUP_LINK: CommandRow<object> = {
  usage: 'setup-link',
  summary: 'print a new link that makes the first owner (of one use, one hour); earlier ones are void',
  examples: ['pollux setup-link'],
  async run(invocation) {
    const reply = await invocation.server().client.call(USERS_V1.issueSetUpLink, { body: {} })
    printLink(invocation, reply, 'Whoever opens it first owns this Pollux.')
  },
}

function userOf({ args }: Pick<Invocation<unknown>, 'args'>): { readonly user: string } {
  return { user: args[0] ?? '' }
}

/** The link alone on standard output, so that it can be piped. */
function printLink(
  invocation: Invocation<unknown>,
  reply: { readonly link: string; readonly linkExpireTime: string },
  hint: string,
): void {
  if (invocation.flags.json) return printJson(invocation, reply)
  invocation.io.stdout.write(`${printable(reply.link)}\n`)
  note(invocation, `${hint} It works once, until ${reply.linkExpireTime}.`)
}

function printUser(
  { io }: Pick<Invocation<unknown>, 'io'>,
  { email, displayName }: User,
  what: string,
): void {
  const name = displayName === email ? '' : ` (${displayName})`
  io.stdout.write(`${printable(`${email}${name}: ${what}`)}\n`)
}
