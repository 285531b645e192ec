/** `pollux calls`: what happened to each call that was let in. */
import { setTimeout as delay } from 'node:timers/promises'
import { type Command, Option } from 'commander'
import { CALLS_V1 } from '../contract/calls.v1.ts'
import type { ResponseOf } from '../contract/endpoint.ts'
import { OUTCOMES, type Outcome } from '../domain/usage.ts'
import { CALL_BODIES } from './bodies.ts'
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
import { shownUsd } from './dollars.ts'
import { countUpTo, timeAgo } from './flags.ts'
import { printable } from './printable.ts'
import {
  type ProjectFlag,
  addProjectFlag,
  keyArgument,
  projectArgument,
  projectOf,
} from './resource-arguments.ts'
import { type Table, renderDetails } from './table.ts'

type Call = ResponseOf<typeof CALLS_V1.listCalls>['calls'][number]
type CallWithLedger = ResponseOf<typeof CALLS_V1.getCall>

const CALLS_DEFAULT = 50
const CALLS_MAX = 10_000
const PAGE_SIZE_MAX = 300
const FOLLOW_EVERY_MS = 1_000

interface FilterFlags {
  readonly project?: string
  readonly key?: string
  readonly model?: string
  readonly method?: string
  readonly status?: string
  readonly outcome?: Outcome
}

interface ListFlags extends FilterFlags {
  readonly id?: string
  readonly since?: string
  readonly until?: string
  readonly limit?: number
  readonly follow?: boolean
}

export function addCallCommands(program: Command, session: Session): void {
  const calls = program.command('calls').description('see what happened to each call')
  addCommand(calls, session, LIST)
  addCommand(calls, session, GET)
  addCommand(calls, session, CALL_BODIES)
}

const LIST: CommandRow<ListFlags> = {
  usage: 'list',
  summary: `list the newest calls (${CALLS_DEFAULT}, unless --limit says otherwise), or follow them`,
  examples: [
    'pollux calls list --status 4xx --since 1d',
    'pollux calls list --project default-project --key first-key --json',
    'pollux calls list --follow',
  ],
  addFlags(command) {
    command
      .option('-p, --project <project>', 'only of this project (default: all)')
      .option('--key <key>', 'only of this key (id, uid or name; needs its project)')
      .option('--model <model>', 'only to this model')
      .option('--method <name>', 'only of this method, e.g. GenerateContent')
      .option('--status <status>', 'only with this HTTP status, or class of them such as 4xx')
      .addOption(new Option('--outcome <outcome>', 'only that ended so').choices(OUTCOMES))
      .option('--id <request-id>', 'only the one with this request id')
      .option('--since <time>', 'only from this time or distance on', timeAgo)
      .option('--until <time>', 'only before this time or distance', timeAgo)
      .option('--limit <count>', `how many at most, up to ${CALLS_MAX}`, countUpTo(CALLS_MAX))
      .option('-f, --follow', 'print calls as they end, until interrupted; with --json a line for each')
  },
  async run(invocation) {
    if (invocation.flags.follow) return await follow(invocation)
    const calls = await listed(invocation)
    if (invocation.flags.json) return printJson(invocation, { calls })
    printTable(invocation, callTable(invocation, calls), 'No calls.')
  },
}

const GET: CommandRow<ProjectFlag & { readonly at?: string }> = {
  usage: 'get <request-id>',
  summary: 'show one call: when, what it used and cost, and what it did to each budget',
  examples: ['pollux calls get 0b7e6a3e-5a43-4c6e-9a53-2f2a0c7f2f11 --project default-project'],
  addFlags(command) {
    addProjectFlag(command)
    command.option('--at <time>', 'when it started, to the millisecond: finds it however long ago', timeAgo)
  },
  async run(invocation) {
    const { io, flags, server, args } = invocation
    const params = { project: projectOf(flags), call: args[0] ?? '' }
    const call = await server().client.call(CALLS_V1.getCall, { params, query: { startTime: flags.at } })
    if (flags.json) return printJson(invocation, call)
    io.stdout.write(renderDetails(detailsOf(call)))
  },
}

/** Pages until there are enough: one may be short and not the last. */
async function listed(invocation: Invocation<ListFlags>): Promise<readonly Call[]> {
  const { flags, server } = invocation
  const { id: callId, since: startTime, until: endTime, limit = CALLS_DEFAULT } = flags
  const calls: Call[] = []
  let pageToken: string | undefined
  do {
    const pageSize = Math.min(PAGE_SIZE_MAX, limit - calls.length)
    const query = { ...filterOf(flags), callId, startTime, endTime, pageSize, pageToken }
    const page = await server().client.call(CALLS_V1.listCalls, { query })
    calls.push(...page.calls)
    pageToken = page.nextPageToken
  } while (pageToken !== undefined && calls.length < limit)
  return calls
}

async function follow(invocation: Invocation<ListFlags>): Promise<void> {
  const { io, flags, server } = invocation
  const { client } = server()
  let tailToken: string | undefined
  let isFirst = true
  note(invocation, 'Calls are shown as they end. Ctrl-C stops.')
  for (;;) {
    const query = { ...filterOf(flags), tailToken }
    const tail = await client.call(CALLS_V1.tailCalls, { query })
    tailToken = tail.tailToken
    if (flags.json) for (const call of tail.calls) io.stdout.write(`${printable(JSON.stringify(call))}\n`)
    else if (tail.calls.length > 0) {
      printTable(invocation, { ...callTable(invocation, tail.calls), isContinued: !isFirst }, '')
      isFirst = false
    }
    // A full reply may not be all there is.
    if (tail.calls.length === 0) await delay(FOLLOW_EVERY_MS)
  }
}

function filterOf({ project, key, model, method, status, outcome }: FilterFlags) {
  const named =
    key === undefined
      ? { project: project === undefined ? undefined : projectArgument(project), key: undefined }
      : keyArgument(key, project === undefined ? {} : { project })
  return { ...named, model, method, status, outcome }
}

function callTable(invocation: Pick<Invocation<unknown>, 'io' | 'nowMs'>, calls: readonly Call[]): Table {
  const right = { align: 'right' as const, isWhole: true }
  return {
    columns: [
      { title: 'STARTED', isWhole: true, isKept: true },
      { title: 'STATUS', ...right, isKept: true },
      { title: 'KEY', isKept: true, isIdentity: true },
      { title: 'MODEL' },
      { title: 'METHOD' },
      { title: 'TIME', ...right },
      { title: 'TOKENS', ...right },
      { title: 'COST', ...right },
      { title: 'REQUEST ID', isWhole: true },
    ],
    rows: calls.map(call => [
      shownTime(invocation, call.startTime),
      String(call.httpStatus),
      call.keyId ?? call.keyUid,
      call.model || '-',
      call.method,
      `${call.durationMs} ms`,
      String(call.totalTokens),
      call.costNanos === undefined ? 'unpriced' : shownUsd(call.costNanos),
      call.callId,
    ]),
  }
}

function after(ms: number | undefined): string {
  return ms === undefined ? '' : `after ${ms} ms`
}

function detailsOf(call: CallWithLedger): readonly (readonly [string, string])[] {
  const { receivedMs, admittedMs, firstByteMs, lastByteMs, durationMs, costNanos, ledger } = call
  const tokens = [
    ['input', call.promptTokens],
    ['cached', call.cachedTokens],
    ['tool use', call.toolUsePromptTokens],
    ['output', call.candidatesTokens],
    ['thoughts', call.thoughtsTokens],
    ['in all', call.totalTokens],
  ] as const
  return [
    ['name', call.name],
    ['started', call.startTime],
    ['key', `${call.projectId ?? ''}/${call.keyId ?? call.keyUid}`],
    ['method', call.method],
    ['model', call.model],
    ['answered by', call.modelVersion ?? ''],
    ['status', String(call.httpStatus)],
    ['outcome', call.outcome],
    ['received', after(receivedMs)],
    ['let in', after(admittedMs)],
    ['first byte', after(firstByteMs)],
    ['last byte', after(lastByteMs)],
    ['duration', `${durationMs} ms`],
    ['tokens', tokens.map(([name, count]) => `${count} ${name}`).join(', ')],
    ['tier', call.serviceTier ?? ''],
    ['bytes', `${call.requestBytes} in, ${call.responseBytes} out`],
    ['cost', costNanos === undefined ? 'unpriced' : shownUsd(costNanos)],
    ['price times', call.priceFactor ?? ''],
    ['output limit', call.clampedOutputTokens === undefined ? '' : `lowered to ${call.clampedOutputTokens}`],
    ...ledger.map(
      ({ budget, heldNanos, postedNanos, freedNanos }) =>
        [
          'ledger',
          `${budget}: held ${shownUsd(heldNanos)}, posted ${shownUsd(postedNanos)}, freed ${shownUsd(freedNanos)}`,
        ] as const,
    ),
  ]
}
