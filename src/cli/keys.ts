/** `pollux keys`: reading keys, and switching them off and on. Making and changing them is in key-edit.ts. */
import type { Command } from 'commander'
import { APIKEYS_V2 } from '../contract/apikeys.v2.ts'
import { POLLUX_V1 } from '../contract/pollux.v1.ts'
import { isKeyString } from '../domain/keystring.ts'
import { type YesFlag, addYesFlag, confirm, readLine } from './ask.ts'
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
import { addEditCommands } from './key-edit.ts'
import type { KeyJson } from './key-flags.ts'
import { TEST_KEY } from './key-test.ts'
import { keyDetails, keysTable } from './key-view.ts'
import { DAY_MS } from './moment.ts'
import {
  type EtagFlag,
  type ProjectFlag,
  addEtagFlag,
  addProjectFlag,
  idOf,
  keyArgument,
  projectOf,
} from './resource-arguments.ts'

const PAGE_SIZE = 300
/** A key that was used within this time is not deleted by a slip: its id has to be typed. */
const IN_USE_MS = 7 * DAY_MS

export function addKeyCommands(program: Command, session: Session): void {
  const keys = program.command('keys').description('make, restrict, watch and revoke keys')
  addEditCommands(keys, session)
  addCommand(keys, session, LIST)
  addCommand(keys, session, GET)
  addCommand(keys, session, DISABLE)
  addCommand(keys, session, ENABLE)
  addCommand(keys, session, DELETE)
  addCommand(keys, session, UNDELETE)
  addCommand(keys, session, LOOKUP)
  addCommand(keys, session, REVEAL)
  addCommand(keys, session, TEST_KEY)
}

const LIST: CommandRow<ProjectFlag & { readonly showDeleted?: boolean }> = {
  usage: 'list',
  summary: 'list the keys of a project',
  examples: ['pollux keys list', 'pollux keys list --project default-project --show-deleted --json'],
  addFlags(command) {
    addProjectFlag(command)
    command.option('--show-deleted', 'also what was deleted less than 30 days ago')
  },
  async run(invocation) {
    const { flags, server } = invocation
    const params = { project: projectOf(flags) }
    const { client } = server()
    const keys: KeyJson[] = []
    let pageToken: string | undefined
    do {
      const query = { pageSize: PAGE_SIZE, pageToken, showDeleted: flags.showDeleted }
      const page = await client.call(POLLUX_V1.listKeys, { params, query })
      keys.push(...(page.keys ?? []))
      pageToken = page.nextPageToken
    } while (pageToken !== undefined && pageToken !== '')
    if (flags.json) return printJson(invocation, { keys })
    printTable(invocation, keysTable(invocation, keys), 'No keys. Make one with: pollux keys create')
  },
}

const GET: CommandRow<ProjectFlag> = {
  usage: 'get <key>',
  summary: 'show a key',
  examples: [
    'pollux keys get first-key',
    'pollux keys get projects/default-project/locations/global/keys/first-key',
  ],
  addFlags: addProjectFlag,
  async run(invocation) {
    const params = keyParams(invocation)
    printKey(invocation, await invocation.server().client.call(POLLUX_V1.getKey, { params }))
  },
}

const DISABLE: CommandRow<ProjectFlag & EtagFlag> = {
  usage: 'disable <key>',
  summary: 'refuse all calls with a key until it is enabled again',
  examples: ['pollux keys disable first-key'],
  addFlags(command) {
    addProjectFlag(command)
    addEtagFlag(command, 'key')
  },
  async run(invocation) {
    const input = { params: keyParams(invocation), body: etagBody(invocation.flags) }
    const key = await invocation.server().client.call(POLLUX_V1.disableKey, input)
    printChange(invocation, key, 'is disabled: calls with it are refused from now on')
  },
}

const ENABLE: CommandRow<ProjectFlag & EtagFlag> = {
  ...DISABLE,
  usage: 'enable <key>',
  summary: 'let a disabled key be used again',
  examples: ['pollux keys enable first-key'],
  async run(invocation) {
    const input = { params: keyParams(invocation), body: etagBody(invocation.flags) }
    const key = await invocation.server().client.call(POLLUX_V1.enableKey, input)
    printChange(invocation, key, `is enabled; its state is ${key.state}`)
  },
}

const UNDELETE: CommandRow<ProjectFlag & EtagFlag> = {
  ...DISABLE,
  usage: 'undelete <key>',
  summary: 'bring back a key that was deleted less than 30 days ago',
  examples: ['pollux keys undelete first-key'],
  async run(invocation) {
    const input = { params: keyParams(invocation), body: etagBody(invocation.flags) }
    const key = await invocation.server().client.call(POLLUX_V1.undeleteKey, input)
    printChange(invocation, key, `is back; its state is ${key.state}`)
  },
}

const DELETE: CommandRow<ProjectFlag & EtagFlag & YesFlag & { readonly checkExistingUsage?: boolean }> = {
  usage: 'delete <key>',
  summary: 'revoke a key; it can be undeleted for 30 days',
  examples: ['pollux keys delete first-key', 'pollux keys delete first-key --check-existing-usage --yes'],
  addFlags(command) {
    addProjectFlag(command)
    addEtagFlag(command, 'key')
    addYesFlag(command)
    command.option('--check-existing-usage', 'refuse when the key was used in the last 7 days')
  },
  async run(invocation) {
    const { flags, server } = invocation
    const params = keyParams(invocation)
    await confirm(invocation, 'pollux keys delete', async () =>
      deletionQuestion(invocation, await server().client.call(POLLUX_V1.getKey, { params })),
    )
    const query = {
      etag: flags.etag,
      ...(flags.checkExistingUsage ? { checkExistingUsage: 'CHECK' as const } : {}),
    }
    const key = await server().client.call(POLLUX_V1.deleteKey, { params, query })
    printChange(invocation, key, `is deleted; \`pollux keys undelete\` brings it back within 30 days`)
  },
}

function deletionQuestion({ io, nowMs }: Invocation<unknown>, key: KeyJson) {
  const used = key.lastUsedTime === undefined ? Number.NEGATIVE_INFINITY : Date.parse(key.lastUsedTime)
  if (used < nowMs - IN_USE_MS) return { question: `Delete ${named(key)}? [y/N]`, expected: 'y' }
  const when = shownTime({ io, nowMs }, key.lastUsedTime)
  const question = `The ${named(key)} was last used ${when}. Type its id to delete it:`
  return { question, expected: idOf(key.name) }
}

const LOOKUP: CommandRow<{ readonly stdin?: boolean }> = {
  usage: 'lookup',
  summary: 'tell whose key it is; the key is read from standard input',
  examples: ['pollux keys lookup --stdin < key.txt'],
  addFlags(command) {
    command.option('--stdin', 'read the key from standard input (it is never an argument)')
  },
  async run(invocation) {
    const { io, flags, server } = invocation
    const { client } = server()
    if (io.stdin.isTTY === true && !flags.stdin) note(invocation, 'Reading the key from standard input.')
    const keyString = await readLine(io)
    if (!isKeyString(keyString, 'key')) {
      throw usageError(
        'Standard input does not begin with a key of Pollux: the form or the checksum is wrong. Nothing was sent.',
        'A key is plx_ and 36 letters and digits.',
      )
    }
    const found = await client.call(POLLUX_V1.lookupKey, { body: { keyString } })
    if (flags.json) return printJson(invocation, found)
    const params = keyArgument(found.name, {})
    printKey(invocation, await client.call(POLLUX_V1.getKey, { params }))
  },
}

const REVEAL: CommandRow<ProjectFlag> = {
  usage: 'reveal <key>',
  summary: 'print the keyString of a key whose project had recoverable keys when it was made; it is audited',
  examples: ['pollux keys reveal billing'],
  addFlags: addProjectFlag,
  async run(invocation) {
    const params = keyParams(invocation)
    const { keyString } = await invocation.server().client.call(APIKEYS_V2.getKeyString, { params })
    if (invocation.flags.json) return printJson(invocation, { keyString })
    invocation.io.stdout.write(`${keyString}\n`)
  },
}

function keyParams({ args, flags }: Pick<Invocation<ProjectFlag>, 'args' | 'flags'>) {
  return keyArgument(args[0] ?? '', flags)
}

function etagBody({ etag }: EtagFlag): { etag?: string } {
  return etag === undefined ? {} : { etag }
}

function named(key: KeyJson): string {
  return key.displayName === undefined
    ? `key ${idOf(key.name)}`
    : `key ${idOf(key.name)} (${key.displayName})`
}

function printKey(invocation: Invocation<unknown>, key: KeyJson): void {
  if (invocation.flags.json) return printJson(invocation, key)
  invocation.io.stdout.write(keyDetails(invocation, key))
}

/** The new state on standard error: a change yields no data unless --json asks for it. */
function printChange(invocation: Invocation<unknown>, key: KeyJson, what: string): void {
  if (invocation.flags.json) return printJson(invocation, key)
  note(invocation, `The ${named(key)} ${what}.`)
}
