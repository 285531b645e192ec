/** `pollux keys create` and `pollux keys update`. */
import { type Command, Option } from 'commander'
import { POLLUX_V1 } from '../contract/pollux.v1.ts'
import { type CommandRow, type Session, addCommand, note, printJson } from './command.ts'
import {
  type ClearFlags,
  type KeyFlags,
  addClearFlags,
  addKeyFlags,
  changesPartOfRestrictions,
  keyInput,
  keyPatch,
} from './key-flags.ts'
import { keyDetails, newKeyText } from './key-view.ts'
import { printable } from './printable.ts'
import {
  type EtagFlag,
  type ProjectFlag,
  addEtagFlag,
  addProjectFlag,
  idOf,
  keyArgument,
  projectOf,
} from './resource-arguments.ts'

export function addEditCommands(keys: Command, session: Session): void {
  addCommand(keys, session, CREATE)
  addCommand(keys, session, UPDATE)
}

const CREATE: CommandRow<ProjectFlag & KeyFlags & { readonly keyId?: string; readonly quiet?: boolean }> = {
  usage: 'create',
  summary: 'make a key and print it, this once',
  examples: [
    'pollux keys create --display-name "Web shop" --key-id web-shop --expires 90d',
    'pollux keys create --display-name CI --allowed-ips 203.0.113.0/24,198.51.100.7 --quiet',
    "pollux keys create --api-target 'service=generativelanguage.googleapis.com,methods=GenerateContent;CountTokens' --json",
  ],
  addFlags(command) {
    addProjectFlag(command)
    command.option('--key-id <id>', 'the id in its name (default: a UUID)')
    addKeyFlags(command)
    command.addOption(new Option('-q, --quiet', 'print only the keyString').conflicts('json'))
  },
  async run(invocation) {
    const { io, flags, server } = invocation
    const { keyId } = flags
    const project = projectOf(flags)
    const { client, url } = server()
    const query = keyId === undefined ? {} : { keyId }
    const key = await client.call(POLLUX_V1.createKey, { params: { project }, query, body: keyInput(flags) })
    const { keyString = '' } = key
    if (flags.json) return printJson(invocation, key)
    if (flags.quiet) {
      io.stdout.write(`${printable(keyString)}\n`)
      return
    }
    io.stdout.write(newKeyText({ io, url, key }, keyString))
    note(invocation, `Made key ${idOf(key.name)} in ${project}. It is shown only this once: keep it now.`)
  },
}

const UPDATE: CommandRow<
  ProjectFlag & KeyFlags & ClearFlags & EtagFlag & { readonly checkExistingUsage?: boolean }
> = {
  usage: 'update <key>',
  summary: 'change the fields that flags are given for, and no others',
  examples: [
    'pollux keys update first-key --display-name "Web shop" --allowed-models "gemini-3*"',
    'pollux keys update first-key --clear-restrictions --clear-expire-time',
  ],
  addFlags(command) {
    addProjectFlag(command)
    addKeyFlags(command)
    addClearFlags(command)
    addEtagFlag(command, 'key')
    command.option('--check-existing-usage', 'refuse when the key was used in the last 7 days')
  },
  async run(invocation) {
    const { args, flags, server, io } = invocation
    const params = keyArgument(args[0] ?? '', flags)
    keyPatch(flags, undefined)
    const { client } = server()
    // The API replaces restrictions as a whole: what is kept is read first, and the etag holds off changes in between.
    const current = changesPartOfRestrictions(flags)
      ? await client.call(POLLUX_V1.getKey, { params })
      : undefined
    const { updateMask, body } = keyPatch(flags, current?.restrictions)
    const etag = flags.etag ?? current?.etag
    const key = await client.call(POLLUX_V1.updateKey, {
      params,
      query: { updateMask, ...(flags.checkExistingUsage ? { checkExistingUsage: 'CHECK' as const } : {}) },
      body: { ...body, ...(etag === undefined ? {} : { etag }) },
    })
    if (flags.json) return printJson(invocation, key)
    io.stdout.write(keyDetails(invocation, key))
  },
}
