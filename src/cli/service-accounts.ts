/** `pollux service-accounts`. */
import type { Command } from 'commander'
import type { ResponseOf } from '../contract/endpoint.ts'
import { SERVICE_ACCOUNTS_V1 } from '../contract/service-accounts.v1.ts'
import { type YesFlag, addYesFlag, confirm } from './ask.ts'
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
import { usageError } from './errors.ts'
import { timeIn } from './flags.ts'
import { printable } from './printable.ts'
import { type ProjectFlag, accountArgument, addProjectFlag, idOf, projectOf } from './resource-arguments.ts'
import { renderDetails } from './table.ts'

type Account = ResponseOf<typeof SERVICE_ACCOUNTS_V1.getServiceAccount>

export function addServiceAccountCommands(program: Command, session: Session): void {
  const accounts = program
    .command('service-accounts')
    .description('identities for automation; `pollux tokens` makes tokens for them')
  addCommand(accounts, session, LIST)
  addCommand(accounts, session, GET)
  addCommand(accounts, session, CREATE)
  addCommand(accounts, session, DISABLE)
  addCommand(accounts, session, ENABLE)
  addCommand(accounts, session, DELETE)
  addCommand(accounts, session, CREATE_KEY)
  addCommand(accounts, session, LIST_KEYS)
  addCommand(accounts, session, DELETE_KEY)
}

const LIST: CommandRow<ProjectFlag> = {
  usage: 'list',
  summary: 'list the service accounts of a project',
  examples: ['pollux service-accounts list', 'pollux service-accounts list --project web-shop --json'],
  addFlags: addProjectFlag,
  async run(invocation) {
    const { flags, server } = invocation
    const params = { project: projectOf(flags) }
    const { accounts } = await server().client.call(SERVICE_ACCOUNTS_V1.listServiceAccounts, { params })
    if (flags.json) return printJson(invocation, { accounts })
    const columns = [
      { title: 'EMAIL', isKept: true, isIdentity: true },
      { title: 'NAME' },
      { title: 'STATE', isWhole: true, isKept: true },
      { title: 'CREATED', isWhole: true },
    ]
    const rows = accounts.map(account => [
      account.email,
      account.displayName ?? '',
      stateOf(account),
      shownTime(invocation, account.createTime),
    ])
    printTable(
      invocation,
      { columns, rows },
      'No service accounts. Make one with: pollux service-accounts create',
    )
  },
}

const GET: CommandRow<ProjectFlag> = {
  usage: 'get <account>',
  summary: 'show a service account',
  examples: ['pollux service-accounts get deploy-robot'],
  addFlags: addProjectFlag,
  async run(invocation) {
    const params = accountParams(invocation)
    const { client } = invocation.server()
    printAccount(invocation, await client.call(SERVICE_ACCOUNTS_V1.getServiceAccount, { params }))
  },
}

const CREATE: CommandRow<ProjectFlag & { readonly displayName?: string; readonly description?: string }> = {
  usage: 'create <account>',
  summary: 'make a service account of this id; it may do nothing until `pollux iam add-binding` names it',
  examples: ['pollux service-accounts create reports-robot --display-name "Nightly reports"'],
  addFlags(command) {
    addProjectFlag(command)
    command
      .option('--display-name <name>', 'a name for people')
      .option('--description <text>', 'what it is for')
  },
  async run(invocation) {
    const { args, flags, server } = invocation
    const { displayName, description } = flags
    const account = await server().client.call(SERVICE_ACCOUNTS_V1.createServiceAccount, {
      params: { project: projectOf(flags) },
      query: { accountId: args[0] },
      body: {
        ...(displayName === undefined ? {} : { displayName }),
        ...(description === undefined ? {} : { description }),
      },
    })
    printAccount(invocation, account)
  },
}

const DISABLE: CommandRow<ProjectFlag> = {
  usage: 'disable <account>',
  summary: 'refuse every token and key of it until it is enabled again',
  examples: ['pollux service-accounts disable deploy-robot'],
  addFlags: addProjectFlag,
  async run(invocation) {
    const input = { params: accountParams(invocation), body: {} }
    const { client } = invocation.server()
    printAccount(invocation, await client.call(SERVICE_ACCOUNTS_V1.disableServiceAccount, input))
  },
}

const ENABLE: CommandRow<ProjectFlag> = {
  usage: 'enable <account>',
  summary: 'let its tokens and keys count again',
  examples: ['pollux service-accounts enable deploy-robot'],
  addFlags: addProjectFlag,
  async run(invocation) {
    const input = { params: accountParams(invocation), body: {} }
    const { client } = invocation.server()
    printAccount(invocation, await client.call(SERVICE_ACCOUNTS_V1.enableServiceAccount, input))
  },
}

const DELETE: CommandRow<ProjectFlag & YesFlag> = {
  usage: 'delete <account>',
  summary: 'delete it with its tokens, keys and roles, for good',
  examples: ['pollux service-accounts delete retired-robot --yes'],
  addFlags(command) {
    addProjectFlag(command)
    addYesFlag(command)
  },
  async run(invocation) {
    const { flags, server } = invocation
    const params = accountParams(invocation)
    await confirm(invocation, 'pollux service-accounts delete', async () => {
      const { email } = await server().client.call(SERVICE_ACCOUNTS_V1.getServiceAccount, { params })
      return { question: `Nothing brings ${email} back. Type its e-mail to delete it:`, expected: email }
    })
    const answer = await server().client.call(SERVICE_ACCOUNTS_V1.deleteServiceAccount, { params })
    if (flags.json) return printJson(invocation, answer)
    note(invocation, 'The service account is deleted; its tokens and keys are refused from now on.')
  },
}

const CREATE_KEY: CommandRow<ProjectFlag & { readonly expires?: string }> = {
  usage: 'create-key <account>',
  summary: "make a key pair and print its key file in Google's format, this once",
  examples: ['pollux service-accounts create-key deploy-robot --expires 90d > key.json'],
  addFlags(command) {
    addProjectFlag(command)
    addExpiresFlag(command)
  },
  async run(invocation) {
    const { io, flags, server } = invocation
    const params = accountParams(invocation)
    if (io.stdout.isTTY === true && !flags.json) {
      throw usageError('A private key does not belong on a terminal.', 'Send it to a file: … > key.json')
    }
    const body = flags.expires === undefined ? {} : { validBeforeTime: flags.expires }
    const key = await server().client.call(SERVICE_ACCOUNTS_V1.createServiceAccountKey, { params, body })
    if (flags.json) return printJson(invocation, key)
    io.stdout.write(Buffer.from(key.privateKeyData ?? '', 'base64').toString('utf8'))
    const until = key.validBeforeTime ?? ''
    note(invocation, `Made key ${idOf(key.name)}, valid until ${until}. The file can not be had again.`)
  },
}

const LIST_KEYS: CommandRow<ProjectFlag> = {
  usage: 'list-keys <account>',
  summary: 'list the keys of a service account, with their last use',
  examples: ['pollux service-accounts list-keys deploy-robot'],
  addFlags: addProjectFlag,
  async run(invocation) {
    const params = accountParams(invocation)
    const { client } = invocation.server()
    const { keys } = await client.call(SERVICE_ACCOUNTS_V1.listServiceAccountKeys, { params })
    if (invocation.flags.json) return printJson(invocation, { keys })
    const columns = [
      { title: 'KEY', isKept: true, isIdentity: true },
      { title: 'CREATED', isWhole: true },
      { title: 'EXPIRES', isWhole: true, isKept: true },
      { title: 'LAST USED', isWhole: true, isKept: true },
    ]
    const rows = keys.map(key => [
      idOf(key.name),
      shownTime(invocation, key.validAfterTime),
      shownTime(invocation, key.validBeforeTime),
      shownTime(invocation, key.lastUsedTime, 'never'),
    ])
    printTable(invocation, { columns, rows }, 'No keys. Make one with: pollux service-accounts create-key')
  },
}

const DELETE_KEY: CommandRow<ProjectFlag> = {
  usage: 'delete-key <account> <key>',
  summary: 'refuse what this key signs from now on',
  examples: ['pollux service-accounts delete-key deploy-robot 3f5c8f0d6d0b4b7e9a2c1d4e5f60718293a4b5c6'],
  addFlags: addProjectFlag,
  async run(invocation) {
    const params = { ...accountParams(invocation), key: idOf(invocation.args[1] ?? '') }
    const { client } = invocation.server()
    const answer = await client.call(SERVICE_ACCOUNTS_V1.deleteServiceAccountKey, { params })
    if (invocation.flags.json) return printJson(invocation, answer)
    note(invocation, `Key ${params.key} is deleted.`)
  },
}

/** `--expires 90d`, as a time. */
export function addExpiresFlag(command: Command): void {
  command.option('--expires <duration>', 'how long it is valid, 365d at most (default: 90d)', timeIn)
}

function accountParams({ args, flags }: Pick<Invocation<ProjectFlag>, 'args' | 'flags'>) {
  return { project: projectOf(flags), serviceAccount: accountArgument(args[0] ?? '') }
}

function stateOf({ disabled }: Account): string {
  return disabled ? 'DISABLED' : 'ACTIVE'
}

function printAccount(invocation: Invocation<unknown>, account: Account): void {
  if (invocation.flags.json) return printJson(invocation, account)
  const text = renderDetails([
    ['Email', printable(account.email)],
    ['Name', account.displayName ?? ''],
    ['For', account.description ?? ''],
    ['State', stateOf(account)],
    ['Project', account.projectId],
    ['Unique id', account.uniqueId],
    ['Created', shownTime(invocation, account.createTime)],
    ['Updated', shownTime(invocation, account.updateTime)],
  ])
  invocation.io.stdout.write(text)
}
