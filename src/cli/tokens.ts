/** `pollux tokens`: the tokens of service accounts. */
import { type Command, Option } from 'commander'
import { SERVICE_ACCOUNTS_V1 } from '../contract/service-accounts.v1.ts'
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
import { list } from './flags.ts'
import { printable } from './printable.ts'
import {
  type ProjectFlag,
  accountArgument,
  addProjectFlag,
  idOf,
  projectArgument,
  projectOf,
} from './resource-arguments.ts'
import { addExpiresFlag } from './service-accounts.ts'

interface AccountFlags extends ProjectFlag {
  readonly serviceAccount: string
}

interface TokenFlags extends AccountFlags {
  readonly displayName?: string
  readonly permissions?: readonly string[]
  readonly onlyProject?: string
  readonly expires?: string
  readonly quiet?: boolean
}

export function addTokenCommands(program: Command, session: Session): void {
  const tokens = program.command('tokens').description('tokens of service accounts, for scripts and CI')
  addCommand(tokens, session, CREATE)
  addCommand(tokens, session, LIST)
  addCommand(tokens, session, DELETE)
}

const CREATE: CommandRow<TokenFlags> = {
  usage: 'create',
  summary: 'make a token and print it, this once',
  examples: [
    'pollux tokens create --service-account deploy-robot --display-name CI --expires 30d',
    'pollux tokens create --service-account deploy-robot --permissions apikeys.keys.list,apikeys.keys.get --only-project web-shop --quiet',
  ],
  addFlags(command) {
    addAccountFlags(command)
    command
      .option('--display-name <name>', 'a name for people')
      .option('--permissions <list>', 'what it counts for (default: all of its account)', list)
      .option('--only-project <project>', 'the one project in which it counts (default: all of its account)')
    addExpiresFlag(command)
    command.addOption(new Option('-q, --quiet', 'print only the token').conflicts('json'))
  },
  async run(invocation) {
    const { io, flags, server } = invocation
    const { displayName, permissions, onlyProject, expires } = flags
    const answer = await server().client.call(SERVICE_ACCOUNTS_V1.createToken, {
      params: accountParams(invocation),
      body: {
        ...(displayName === undefined ? {} : { displayName }),
        ...(permissions === undefined ? {} : { permissions: [...permissions] }),
        ...(onlyProject === undefined ? {} : { project: projectArgument(onlyProject) }),
        ...(expires === undefined ? {} : { expireTime: expires }),
      },
    })
    if (flags.json) return printJson(invocation, answer)
    io.stdout.write(`${printable(answer.token ?? '')}\n`)
    if (flags.quiet) return
    const id = idOf(answer.name)
    note(
      invocation,
      `Made token ${id}, valid until ${answer.expireTime ?? ''}. It is shown only this once: keep it now.`,
    )
  },
}

const LIST: CommandRow<AccountFlags> = {
  usage: 'list',
  summary: 'list the tokens of a service account, with their last use',
  examples: ['pollux tokens list --service-account deploy-robot'],
  addFlags: addAccountFlags,
  async run(invocation) {
    const params = accountParams(invocation)
    const { client } = invocation.server()
    const { tokens } = await client.call(SERVICE_ACCOUNTS_V1.listTokens, { params })
    if (invocation.flags.json) return printJson(invocation, { tokens })
    const columns = [
      { title: 'TOKEN', isWhole: true, isKept: true },
      { title: 'NAME' },
      { title: 'EXPIRES', isWhole: true, isKept: true },
      { title: 'LAST USED', isWhole: true, isKept: true },
      { title: 'ONLY' },
      { title: 'ID', isIdentity: true, isKept: true },
    ]
    const rows = tokens.map(token => [
      token.maskedToken,
      token.displayName ?? '',
      shownTime(invocation, token.expireTime),
      shownTime(invocation, token.lastUsedTime, 'never'),
      [
        ...(token.project === undefined ? [] : [`projects/${token.project}`]),
        ...(token.permissions ?? []),
      ].join(', '),
      idOf(token.name),
    ])
    printTable(invocation, { columns, rows }, 'No tokens. Make one with: pollux tokens create')
  },
}

const DELETE: CommandRow<AccountFlags> = {
  usage: 'delete <id>',
  summary: 'refuse a token from now on',
  examples: ['pollux tokens delete 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed --service-account deploy-robot'],
  addFlags: addAccountFlags,
  async run(invocation) {
    const params = { ...accountParams(invocation), token: idOf(invocation.args[0] ?? '') }
    const { client } = invocation.server()
    const answer = await client.call(SERVICE_ACCOUNTS_V1.deleteToken, { params })
    if (invocation.flags.json) return printJson(invocation, answer)
    note(invocation, `Token ${params.token} is deleted.`)
  },
}

function addAccountFlags(command: Command): void {
  addProjectFlag(command)
  command.requiredOption('--service-account <account>', 'id or e-mail of the service account')
}

function accountParams({ flags }: Pick<Invocation<AccountFlags>, 'flags'>) {
  return { project: projectOf(flags), serviceAccount: accountArgument(flags.serviceAccount) }
}
