/** `pollux quotas`. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { ResponseOf } from '../contract/endpoint.ts'
import { KEY_QUOTAS_V1, PROJECT_QUOTAS_V1, QUOTAS_V1 } from '../contract/quotas.v1.ts'
import { QUOTA_METRICS, type QuotaMetric } from '../domain/quota.ts'
import {
  type CommandRow,
  type Session,
  addCommand,
  note,
  printJson,
  printTable,
  shownTime,
} from './command.ts'
import { type ProjectFlag, addProjectFlag, keyArgument, projectOf } from './resource-arguments.ts'

interface LimitFlags extends ProjectFlag {
  readonly key?: string
  readonly metric: QuotaMetric
  readonly model?: string
}

type LimitJson = ResponseOf<typeof QUOTAS_V1.listQuotaLimits>['limits'][number]

export function addQuotaCommands(program: Command, session: Session): void {
  const quotas = program.command('quotas').description('limit how fast a project or a key may call')
  addCommand(quotas, session, SET)
  addCommand(quotas, session, LIST)
  addCommand(quotas, session, USAGE)
  addCommand(quotas, session, REFUSALS)
  addCommand(quotas, session, UNSET)
}

/** A limit on the command line: `unlimited` is -1. */
export function quotaValue(text: string): string {
  if (text === 'unlimited') return '-1'
  if (/^\d{1,16}$/.test(text)) return text
  throw new InvalidArgumentError('Write a whole number, or `unlimited`.')
}

function addPlaceFlags(command: Command): void {
  addProjectFlag(command)
  command
    .option('--key <key>', 'id or uid of the key that is limited (default: the project)')
    .addOption(
      new Option('--metric <metric>', 'what is counted').choices(QUOTA_METRICS).makeOptionMandatory(),
    )
    .option('--model <model>', "a model id, or '*' for each model apart (default: all models together)")
}

const SET: CommandRow<LimitFlags & { readonly value: string }> = {
  usage: 'set',
  summary: 'make or change a limit',
  examples: [
    "pollux quotas set --project default-project --metric requestsPerMinute --model '*' --value 60",
    'pollux quotas set --key first-key --metric concurrentCalls --value 5 --json',
  ],
  addFlags(command) {
    addPlaceFlags(command)
    command.addOption(
      new Option('--value <limit>', 'the most there may be; 0: nothing, `unlimited`: no limit')
        .argParser(quotaValue)
        .makeOptionMandatory(),
    )
  },
  async run(invocation) {
    const { flags, server } = invocation
    const { metric, model, value } = flags
    const body = { metric, model, value }
    const { client } = server()
    const limit =
      flags.key === undefined
        ? await client.call(PROJECT_QUOTAS_V1.setQuotaLimit, { params: { project: projectOf(flags) }, body })
        : await client.call(KEY_QUOTAS_V1.setQuotaLimit, { params: keyArgument(flags.key, flags), body })
    if (flags.json) return printJson(invocation, limit)
    note(invocation, `${limit.metric} of ${modelWords(limit.model)}: ${shownValue(limit.value)}.`)
  },
}

const UNSET: CommandRow<LimitFlags> = {
  usage: 'unset',
  summary: 'remove a limit',
  examples: ["pollux quotas unset --project default-project --metric requestsPerMinute --model '*'"],
  addFlags: addPlaceFlags,
  async run(invocation) {
    const { flags, server } = invocation
    const body = { metric: flags.metric, model: flags.model }
    const { client } = server()
    const answer =
      flags.key === undefined
        ? await client.call(PROJECT_QUOTAS_V1.unsetQuotaLimit, {
            params: { project: projectOf(flags) },
            body,
          })
        : await client.call(KEY_QUOTAS_V1.unsetQuotaLimit, { params: keyArgument(flags.key, flags), body })
    if (flags.json) return printJson(invocation, answer)
    note(invocation, `The limit of ${flags.metric} for ${modelWords(flags.model)} is removed.`)
  },
}

const LIST: CommandRow<ProjectFlag> = {
  usage: 'list',
  summary: 'list the limits of a project, of its tier, and of its keys',
  examples: ['pollux quotas list', 'pollux quotas list --project default-project --json'],
  addFlags: addProjectFlag,
  async run(invocation) {
    const { flags, server } = invocation
    const params = { project: projectOf(flags) }
    const answer = await server().client.call(QUOTAS_V1.listQuotaLimits, { params })
    if (flags.json) return printJson(invocation, answer)
    const columns = [
      { title: 'OF', isKept: true, isIdentity: true },
      { title: 'METRIC', isKept: true, isWhole: true },
      { title: 'MODEL', isKept: true },
      { title: 'LIMIT', isKept: true, isWhole: true, align: 'right' as const },
    ]
    const rows = answer.limits.map(limit => [
      ownerOf(limit, answer.tier),
      limit.metric,
      modelWords(limit.model),
      shownValue(limit.value),
    ])
    printTable(invocation, { columns, rows }, 'No limits. Make one with: pollux quotas set')
  },
}

const USAGE: CommandRow<ProjectFlag> = {
  usage: 'usage',
  summary: 'show how far each limit is used now',
  examples: ['pollux quotas usage', 'pollux quotas usage --project default-project --json'],
  addFlags: addProjectFlag,
  async run(invocation) {
    const { flags, server } = invocation
    const params = { project: projectOf(flags) }
    const usage = await server().client.call(QUOTAS_V1.getQuotaUsage, { params })
    if (flags.json) return printJson(invocation, usage)
    const columns = [
      { title: 'OF', isKept: true, isIdentity: true },
      { title: 'METRIC', isKept: true, isWhole: true },
      { title: 'MODEL', isKept: true },
      { title: 'USED', isKept: true, isWhole: true, align: 'right' as const },
      { title: 'LIMIT', isKept: true, isWhole: true, align: 'right' as const },
      { title: 'RESETS', isWhole: true },
    ]
    const rows = usage.counters.map(counter => [
      counter.key === undefined ? 'project' : `key ${counter.key}`,
      counter.metric,
      modelWords(counter.model),
      counter.used,
      counter.limit,
      shownTime(invocation, counter.resetTime),
    ])
    printTable(invocation, { columns, rows }, 'Nothing is limited, or nothing was called since yesterday.')
  },
}

const REFUSALS: CommandRow<ProjectFlag> = {
  usage: 'refusals',
  summary: 'show how often which limit refused calls in the last 24 hours',
  examples: ['pollux quotas refusals', 'pollux quotas refusals --project default-project --json'],
  addFlags: addProjectFlag,
  async run(invocation) {
    const { flags, server } = invocation
    const params = { project: projectOf(flags) }
    const report = await server().client.call(QUOTAS_V1.getQuotaRefusals, { params, query: {} })
    if (flags.json) return printJson(invocation, report)
    const columns = [
      { title: 'REASON', isKept: true, isIdentity: true },
      { title: 'METRIC', isKept: true, isWhole: true },
      { title: 'MODEL', isKept: true },
      { title: 'KEY' },
      { title: 'CALLS', isKept: true, isWhole: true, align: 'right' as const },
      { title: 'LAST', isWhole: true },
    ]
    const rows = report.refusals.map(({ reason, scope, metric, model, key, calls, lastTime }) => [
      scope === undefined ? reason : `${reason} (${scope})`,
      metric ?? '',
      model ?? '',
      key ?? '',
      String(calls),
      shownTime(invocation, lastTime),
    ])
    printTable(invocation, { columns, rows }, 'No call was answered 429 in the last 24 hours.')
  },
}

function ownerOf({ source, key }: LimitJson, tier: string | undefined): string {
  if (source === 'tier') return `tier ${tier ?? ''}`
  return source === 'key' ? `key ${key ?? ''}` : 'project'
}

export function modelWords(model: string | undefined): string {
  if (model === undefined) return 'all models together'
  return model === '*' ? 'each model' : model
}

export function shownValue(value: string): string {
  return value === '-1' ? 'unlimited' : value
}
