/** `pollux tiers`. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { ResponseOf } from '../contract/endpoint.ts'
import { TIERS_V1 } from '../contract/quotas.v1.ts'
import type { AllowedTool } from '../domain/key.ts'
import { QUOTA_METRICS, type QuotaMetric } from '../domain/quota.ts'
import { type YesFlag, addYesFlag, confirm } from './ask.ts'
import {
  type CommandRow,
  type Invocation,
  type Session,
  addCommand,
  note,
  printJson,
  printTable,
} from './command.ts'
import { nanosOfUsd, shownUsd } from './dollars.ts'
import { usageError } from './errors.ts'
import { listOrNone, toolsOrNone } from './flags.ts'
import { modelWords, quotaValue, shownValue } from './quotas.ts'
import { type EtagFlag, addEtagFlag } from './resource-arguments.ts'
import { renderDetails } from './table.ts'

type TierJson = ResponseOf<typeof TIERS_V1.getTier>
interface LimitFlag {
  readonly metric: QuotaMetric
  readonly model: string | undefined
  readonly value: string
}

interface TierFlags extends EtagFlag {
  readonly displayName?: string
  readonly limit?: readonly LimitFlag[]
  readonly clearLimits?: boolean
  readonly allowedModels?: readonly string[]
  readonly clearAllowedModels?: boolean
  readonly allowedMethods?: readonly string[]
  readonly clearAllowedMethods?: boolean
  readonly allowedTools?: readonly AllowedTool[]
  readonly clearAllowedTools?: boolean
  readonly spendCap?: string
  readonly clearSpendCap?: boolean
  readonly priceFactor?: string
}

export function addTierCommands(program: Command, session: Session): void {
  const tiers = program.command('tiers').description('named sets of limits that projects can have')
  addCommand(tiers, session, LIST)
  addCommand(tiers, session, SHOW)
  addCommand(tiers, session, SET)
  addCommand(tiers, session, DELETE)
}

const LIST: CommandRow<object> = {
  usage: 'list',
  summary: 'list the shipped tiers and your own',
  examples: ['pollux tiers list'],
  async run(invocation) {
    const { tiers } = await invocation.server().client.call(TIERS_V1.listTiers, {})
    if (invocation.flags.json) return printJson(invocation, { tiers })
    const columns = [
      { title: 'TIER', isKept: true, isIdentity: true },
      { title: 'NAME', isKept: true },
      { title: 'LIMITS', isKept: true, isWhole: true, align: 'right' as const },
      { title: 'ORIGIN', isWhole: true },
    ]
    const rows = tiers.map(tier => [
      idOfTier(tier),
      tier.displayName ?? '',
      String(tier.limits?.length ?? 0),
      tier.isShipped ? 'shipped' : 'own',
    ])
    printTable(invocation, { columns, rows }, 'No tiers.')
  },
}

const SHOW: CommandRow<object> = {
  usage: 'show <tier>',
  summary: 'show a tier and its limits',
  examples: ['pollux tiers show free', 'pollux tiers show tier-1 --json'],
  async run(invocation) {
    const params = { tier: invocation.args[0] ?? '' }
    printTier(invocation, await invocation.server().client.call(TIERS_V1.getTier, { params }))
  },
}

const SET: CommandRow<TierFlags> = {
  usage: 'set <tier>',
  summary: 'make a tier, or change the fields that flags are given for',
  examples: [
    "pollux tiers set interns --limit 'requestsPerMinute:*=10' --limit concurrentCalls=2 --allowed-models 'gemini-3.8-flash*'",
    'pollux tiers set interns --spend-cap 20.00 --price-factor 1.15',
    'pollux projects update default-project --tier interns',
  ],
  addFlags(command) {
    command
      .option('--display-name <name>', 'a name for people')
      .option(
        '--limit <metric[:model]=value>',
        `repeatable, replaces all limits; metrics: ${QUOTA_METRICS.join(', ')}`,
        limitFlag,
      )
      .addOption(new Option('--clear-limits', 'no limits').conflicts('limit'))
      .option('--allowed-models <list>', 'model ids or prefix*; none', listOrNone)
      .addOption(new Option('--clear-allowed-models', 'every model').conflicts('allowedModels'))
      .option('--allowed-methods <list>', 'methods as those of --api-target of a key', listOrNone)
      .addOption(new Option('--clear-allowed-methods', 'every method').conflicts('allowedMethods'))
      .option('--allowed-tools <list>', 'tools and outputs; none', toolsOrNone)
      .addOption(new Option('--clear-allowed-tools', 'every tool').conflicts('allowedTools'))
      .option('--spend-cap <dollars>', 'what each of its projects may spend in a month', nanosOfUsd)
      .addOption(new Option('--clear-spend-cap', 'no cap of the tier').conflicts('spendCap'))
      .option(
        '--price-factor <factor>',
        'its projects are charged the price times this, e.g. 1.15; 1 for the price',
      )
    addEtagFlag(command, 'tier')
  },
  async run(invocation) {
    const { flags, args, server } = invocation
    const { displayName, limit, allowedModels, allowedMethods, allowedTools, etag } = flags
    const fields = {
      ...(displayName === undefined ? {} : { displayName }),
      ...(limit === undefined ? {} : { limits: [...limit] }),
      ...(flags.clearLimits ? { limits: [] } : {}),
      ...(allowedModels === undefined ? {} : { allowedModels: [...allowedModels] }),
      ...(flags.clearAllowedModels ? { allowedModels: null } : {}),
      ...(allowedMethods === undefined ? {} : { allowedMethods: [...allowedMethods] }),
      ...(flags.clearAllowedMethods ? { allowedMethods: null } : {}),
      ...(allowedTools === undefined ? {} : { allowedTools: [...allowedTools] }),
      ...(flags.clearAllowedTools ? { allowedTools: null } : {}),
      ...(flags.spendCap === undefined ? {} : { spendCap: flags.spendCap }),
      ...(flags.clearSpendCap ? { spendCap: null } : {}),
      ...(flags.priceFactor === undefined ? {} : { priceFactor: flags.priceFactor }),
    }
    const updateMask = Object.keys(fields).join(',')
    if (updateMask === '')
      throw usageError('No flag says what to set.', 'pollux tiers set --help lists them.')
    const tier = await server().client.call(TIERS_V1.updateTier, {
      params: { tier: args[0] ?? '' },
      query: { updateMask, allowMissing: true },
      body: etag === undefined ? fields : { ...fields, etag },
    })
    printTier(invocation, tier)
  },
}

const DELETE: CommandRow<EtagFlag & YesFlag> = {
  usage: 'delete <tier>',
  summary: 'remove a tier of your own that no project has',
  examples: ['pollux tiers delete students --yes'],
  addFlags(command) {
    addEtagFlag(command, 'tier')
    addYesFlag(command)
  },
  async run(invocation) {
    const { flags, args, server } = invocation
    const tier = args[0] ?? ''
    await confirm(invocation, 'pollux tiers delete', () => ({
      question: `Remove the tier ${tier}? [y/N]`,
      expected: 'y',
    }))
    const query = flags.etag === undefined ? {} : { etag: flags.etag }
    const answer = await server().client.call(TIERS_V1.deleteTier, { params: { tier }, query })
    if (flags.json) return printJson(invocation, answer)
    note(invocation, `The tier ${tier} is deleted.`)
  },
}

const LIMIT = /^([A-Za-z]+)(?::([^=]+))?=(.+)$/

function limitFlag(text: string, before: readonly LimitFlag[] = []): readonly LimitFlag[] {
  const [, name, model, value = ''] = LIMIT.exec(text) ?? []
  const metric = QUOTA_METRICS.find(metric => metric === name)
  if (metric === undefined) {
    throw new InvalidArgumentError(
      `Write METRIC=VALUE or METRIC:MODEL=VALUE; metrics are ${QUOTA_METRICS.join(', ')}.`,
    )
  }
  return [...before, { metric, model, value: quotaValue(value) }]
}

function idOfTier({ name }: TierJson): string {
  return name.replace(/^tiers\//, '')
}

function printTier(invocation: Invocation<unknown>, tier: TierJson): void {
  if (invocation.flags.json) return printJson(invocation, tier)
  const list = (entries: readonly string[] | null | undefined): string => {
    if (entries === undefined || entries === null) return 'all'
    return entries.length === 0 ? 'none' : entries.join(', ')
  }
  invocation.io.stdout.write(
    renderDetails([
      ['Tier', idOfTier(tier)],
      ['Name', tier.displayName ?? ''],
      ['Origin', tier.isShipped ? 'shipped' : 'own'],
      ['Source', tier.source ?? ''],
      ['Models', list(tier.allowedModels)],
      ['Methods', list(tier.allowedMethods)],
      ['Tools', list(tier.allowedTools)],
      ['Spend cap', tier.spendCap ? `${shownUsd(tier.spendCap)} a month for each project` : 'none'],
      ['Price factor', tier.priceFactor ?? '1'],
      ['Etag', tier.etag ?? ''],
    ]),
  )
  const columns = [
    { title: 'METRIC', isKept: true, isWhole: true },
    { title: 'MODEL', isKept: true, isIdentity: true },
    { title: 'LIMIT', isKept: true, isWhole: true, align: 'right' as const },
  ]
  const rows = (tier.limits ?? []).map(limit => [
    limit.metric,
    modelWords(limit.model),
    shownValue(limit.value),
  ])
  printTable(invocation, { columns, rows }, 'The tier has no limits.')
}
