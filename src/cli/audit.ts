/** `pollux audit`: who changed or saw what, and whether the trail of it is whole. */
import { type Command, Option } from 'commander'
import { AUDIT_V1 } from '../contract/audit.v1.ts'
import type { ResponseOf } from '../contract/endpoint.ts'
import { isKeyString } from '../domain/keystring.ts'
import { readLine } from './ask.ts'
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
import { EXIT, usageError } from './errors.ts'
import { timeAgo } from './flags.ts'
import { printableLines } from './printable.ts'
import { projectArgument } from './resource-arguments.ts'

type LogEntry = NonNullable<ResponseOf<typeof AUDIT_V1.listAuditEntries>['entries']>[number]

const PAGE_SIZE = 300
const LIST_ENTRIES = 50

interface FilterFlags {
  readonly project?: string
  readonly resource?: string
  readonly principal?: string
  readonly method?: string
  readonly since?: string
}

export function addAuditCommands(program: Command, session: Session): void {
  const audit = program
    .command('audit')
    .description('see who changed what, and check that nothing is missing')
  addCommand(audit, session, LIST)
  addCommand(audit, session, EXPORT)
  addCommand(audit, session, FIND)
  addCommand(audit, session, VERIFY)
}

function addFilterFlags(command: Command): void {
  command
    .option('-p, --project <project>', 'only of this project (default: all)')
    .option('--resource <name>', 'only about this resource and what is below it')
    .option('--principal <subject>', 'only by this principal, e.g. tokens/admin')
    .option('--method <name>', 'only this method, e.g. pollux.v1.Keys.DisableKey')
    .addOption(
      new Option('--since <time>', 'only from this moment on: RFC 3339, a date, or 7d').argParser(timeAgo),
    )
}

const LIST: CommandRow<FilterFlags> = {
  usage: 'list',
  summary: `list the newest ${LIST_ENTRIES} entries`,
  examples: ['pollux audit list', 'pollux audit list --project default-project --since 7d --json'],
  addFlags: addFilterFlags,
  async run(invocation) {
    const query = { ...filterOf(invocation.flags), pageSize: LIST_ENTRIES }
    const page = await invocation.server().client.call(AUDIT_V1.listAuditEntries, { query })
    printEntries(invocation, page)
  },
}

const EXPORT: CommandRow<FilterFlags> = {
  usage: 'export',
  summary: 'print all entries as JSON lines, oldest first, in the shape of Cloud Audit Logs',
  examples: ['pollux audit export > audit.jsonl'],
  addFlags: addFilterFlags,
  async run(invocation) {
    const { io, flags, server } = invocation
    // In a file the entries stay as they are, so that their digests can be recomputed.
    const shown = io.stdout.isTTY === true ? printableLines : (text: string) => text
    let pageToken: string | undefined
    do {
      const query = { ...filterOf(flags), pageSize: PAGE_SIZE, pageToken, oldestFirst: true }
      const page = await server().client.call(AUDIT_V1.listAuditEntries, { query })
      for (const entry of page.entries ?? []) io.stdout.write(`${shown(JSON.stringify(entry))}\n`)
      pageToken = page.nextPageToken
    } while (pageToken !== undefined)
  },
}

const FIND: CommandRow<{ readonly keyStdin?: boolean }> = {
  usage: 'find',
  summary: 'list every entry about a key; the key is read from standard input',
  examples: ['pollux audit find --key-stdin < key.txt'],
  addFlags(command) {
    command.option('--key-stdin', 'read the key from standard input (it is never an argument)')
  },
  async run(invocation) {
    const { io, flags, server } = invocation
    const { client } = server()
    if (io.stdin.isTTY === true && !flags.keyStdin) note(invocation, 'Reading the key from standard input.')
    const keyString = await readLine(io)
    if (!isKeyString(keyString, 'key')) {
      throw usageError('Standard input does not begin with a key of Pollux. Nothing was sent.')
    }
    const entries: LogEntry[] = []
    let name: string
    let pageToken: string | undefined
    do {
      const query = { pageSize: PAGE_SIZE, pageToken }
      const page = await client.call(AUDIT_V1.findAuditEntries, { query, body: { keyString } })
      entries.push(...(page.entries ?? []))
      name = page.name
      pageToken = page.nextPageToken
    } while (pageToken !== undefined)
    if (!flags.json) note(invocation, `The key is ${name}.`)
    printEntries(invocation, flags.json ? { name, entries } : { entries })
  },
}

const VERIFY: CommandRow<object> = {
  usage: 'verify',
  summary: `recompute the chain of the trail and check its signatures; exit code ${EXIT.drift} where it is broken`,
  examples: ['pollux audit verify', 'pollux audit verify --json --timeout 10m'],
  async run(invocation) {
    const { io, flags, server } = invocation
    const verification = await server().client.call(AUDIT_V1.verifyAudit, { body: {} })
    const { problems, entriesChecked, checkpointsChecked, headSequence, headDigest, signingKeyId } =
      verification
    if (flags.json) printJson(invocation, verification)
    else if (problems.length === 0) {
      io.stdout.write(
        `The trail is whole: ${entriesChecked} entries, ${checkpointsChecked} checkpoints, the last entry ` +
          `${headSequence} with digest ${headDigest}, signed by key ${signingKeyId}.\n`,
      )
    } else {
      const columns = [
        { title: 'ENTRY', align: 'right' as const, isWhole: true, isKept: true },
        { title: 'WHAT', isWhole: true, isKept: true },
      ]
      const rows = problems.map(({ sequence, what }) => [String(sequence), what])
      printTable(invocation, { columns, rows }, '')
      note(
        invocation,
        'The trail was changed behind the back of Pollux. Keep the database as it is, and compare it with a backup, the ' +
          'audit file, or an export.',
      )
    }
    return problems.length === 0 ? EXIT.ok : EXIT.drift
  },
}

function filterOf({ project, since, ...rest }: FilterFlags) {
  const { resource, principal, method } = rest
  return {
    project: project === undefined ? undefined : projectArgument(project),
    resource,
    principal,
    method,
    startTime: since,
  }
}

function printEntries(
  invocation: Invocation<unknown>,
  page: { readonly name?: string; readonly entries?: readonly LogEntry[] | undefined },
): void {
  if (invocation.flags.json) return printJson(invocation, page)
  const columns = [
    { title: 'TIME', isWhole: true, isKept: true },
    { title: 'WHO', isKept: true },
    { title: 'WHAT', isKept: true },
    { title: 'RESOURCE', isKept: true, isIdentity: true },
    { title: 'FROM' },
    { title: 'REASON' },
  ]
  const rows = (page.entries ?? []).map(entry => {
    const { authenticationInfo, methodName, resourceName, requestMetadata, status } = payloadOf(entry)
    const method = methodName.slice(methodName.lastIndexOf('.') + 1)
    return [
      shownTime(invocation, entry.timestamp),
      authenticationInfo.principalSubject,
      status?.code === undefined ? method : `${method} (refused)`,
      resourceName,
      requestMetadata.callerIp ?? '',
      requestMetadata.requestAttributes.reason ?? '',
    ]
  })
  printTable(invocation, { columns, rows }, 'No entries.')
}

/** What `logEntryOf` in domain/audit.ts puts into google.cloud.audit.AuditLog. */
interface Payload {
  readonly methodName: string
  readonly resourceName: string
  readonly authenticationInfo: { readonly principalSubject: string }
  /** google.rpc.Status; empty where it was done. */
  readonly status?: { readonly code?: number }
  readonly requestMetadata: {
    readonly callerIp: string | null
    readonly requestAttributes: { readonly reason: string | null }
  }
}

function payloadOf({ protoPayload }: LogEntry): Payload {
  return protoPayload as unknown as Payload
}
