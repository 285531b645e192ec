/** The flags that name a budget, and those that describe it. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { KEY_BUDGETS_V1, ORGANIZATION_BUDGETS_V1, PROJECT_BUDGETS_V1 } from '../contract/budgets.v1.ts'
import type { BodyOf, Endpoint, ResponseOf } from '../contract/endpoint.ts'
import {
  BUDGET_PERIODS,
  BUDGET_POLICIES,
  BUDGET_SCOPES,
  type BudgetPeriod,
  type BudgetPolicy,
  type BudgetScope,
  type UnboundedTool,
} from '../domain/budget.ts'
import { nanosOfUsd, toolCeilings } from './dollars.ts'
import { usageError } from './errors.ts'
import { type ProjectFlag, addProjectFlag, keyArgument, projectOf } from './resource-arguments.ts'

type Table = typeof PROJECT_BUDGETS_V1
export type BudgetJson = ResponseOf<Table['getBudget']>
type BudgetInput = BodyOf<Table['updateBudget']>

/** An endpoint whose path has parameters that only `parent` knows. */
type AnyPath<E> =
  E extends Endpoint<string, infer Query, infer Body, infer Response>
    ? Endpoint<string, Query, Body, Response>
    : never

/** The budgets of one parent: their endpoints, and what to fill into the paths. */
export interface Collection {
  readonly table: { readonly [Name in keyof Table]: AnyPath<Table[Name]> }
  readonly parent: Readonly<Record<string, string>>
}

export interface PlaceFlags extends ProjectFlag {
  readonly scope?: BudgetScope
  readonly key?: string
}

export interface NameFlags extends PlaceFlags {
  readonly period: BudgetPeriod
}

export interface BudgetFlags {
  readonly cap?: string
  readonly policy?: BudgetPolicy
  readonly defaultMaxOutputTokens?: number
  readonly clearDefaultMaxOutputTokens?: boolean
  readonly toolCeiling?: Readonly<Partial<Record<UnboundedTool, string>>>
  readonly clearToolCeilings?: boolean
}

const OUTPUT_TOKENS = /^\d{1,10}$/

export function addNameFlags(command: Command): void {
  command.addOption(
    new Option('--scope <scope>', 'whose budget it is (default: as --project and --key say)').choices(
      BUDGET_SCOPES,
    ),
  )
  addProjectFlag(command)
  command
    .option('--key <key>', 'id or uid of the key')
    .addOption(
      new Option('--period <period>', 'what the cap is for').choices(BUDGET_PERIODS).makeOptionMandatory(),
    )
}

export function addBudgetFlags(command: Command): void {
  command
    .option('--cap <dollars>', 'what may be spent in one period, e.g. 1.00', nanosOfUsd)
    .addOption(
      new Option(
        '--policy <policy>',
        'what becomes of a call whose worst case does not fit (default for a new budget: clamp)',
      ).choices(BUDGET_POLICIES),
    )
    .option('--default-max-output-tokens <count>', 'the output limit of calls that name none', outputTokens)
    .addOption(
      new Option('--clear-default-max-output-tokens', "the model's own output limit").conflicts(
        'defaultMaxOutputTokens',
      ),
    )
    .option(
      '--tool-ceiling <tool=dollars>',
      'the most one call may spend on a tool without a bound; repeatable, replaces all ceilings',
      toolCeilings,
    )
    .addOption(new Option('--clear-tool-ceilings', 'refuse tools without a bound').conflicts('toolCeiling'))
}

/** Whose budgets the flags mean. Throws a usage error where they mean none, or contradict each other. */
export function collectionOf(flags: PlaceFlags): Collection {
  const scope = scopeOf(flags)
  if (scope === 'organization') return { table: ORGANIZATION_BUDGETS_V1, parent: { organization: '1' } }
  if (scope !== 'key') return { table: PROJECT_BUDGETS_V1, parent: { project: projectOf(flags) } }
  return { table: KEY_BUDGETS_V1, parent: keyArgument(flags.key ?? '', flags) }
}

/** A budget's id is its period, but for the cap of a tier. */
export function budgetIdOf({ scope, period }: NameFlags): string {
  return scope === 'tier' ? 'tier' : period
}

function scopeOf({ scope, project, key }: PlaceFlags): BudgetScope {
  const meant = key !== undefined ? 'key' : project !== undefined ? 'project' : undefined
  if (scope === undefined && meant === undefined) {
    throw usageError(
      'No flag says whose budget it is.',
      'Give --project P, --project P --key K, or --scope organization.',
    )
  }
  if (scope === 'key' && key === undefined) throw usageError('--scope key needs --key.')
  if (scope === 'organization' && meant !== undefined) {
    throw usageError(`--scope organization and --${meant} contradict each other.`, 'Leave one of them out.')
  }
  if ((scope === 'project' || scope === 'tier') && key !== undefined) {
    throw usageError(`--scope ${scope} and --key contradict each other.`, 'Leave one of them out.')
  }
  return scope ?? meant ?? 'organization'
}

/** The mask and body of a change: every field that a flag was given for. Throws a usage error where there is none. */
export function budgetPatch(flags: BudgetFlags): { readonly updateMask: string; readonly body: BudgetInput } {
  const { cap, policy, defaultMaxOutputTokens, toolCeiling } = flags
  const body: BudgetInput = {
    ...(cap === undefined ? {} : { cap }),
    ...(policy === undefined ? {} : { policy }),
    ...(defaultMaxOutputTokens === undefined ? {} : { defaultMaxOutputTokens }),
    ...(flags.clearDefaultMaxOutputTokens ? { defaultMaxOutputTokens: null } : {}),
    ...(toolCeiling === undefined ? {} : { toolCeilings: { ...toolCeiling } }),
    ...(flags.clearToolCeilings ? { toolCeilings: {} } : {}),
  }
  const mask = Object.keys(body)
  if (mask.length === 0) throw usageError('No flag says what to set.', 'A new budget needs --cap.')
  return { updateMask: mask.join(','), body }
}

function outputTokens(text: string): number {
  if (OUTPUT_TOKENS.test(text) && Number(text) > 0) return Number(text)
  throw new InvalidArgumentError('Write a whole number above 0.')
}
