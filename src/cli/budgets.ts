/** `pollux budgets`. */
import type { Command } from 'commander'
import { LEDGER_V1 } from '../contract/budgets.v1.ts'
import { type YesFlag, addYesFlag, confirm } from './ask.ts'
import {
  type BudgetFlags,
  type BudgetJson,
  type NameFlags,
  addBudgetFlags,
  addNameFlags,
  budgetIdOf,
  budgetPatch,
  collectionOf,
} from './budget-flags.ts'
import { budgetDetails, budgetsTable, capHitsTable, ownerOf } from './budget-view.ts'
import {
  type CommandRow,
  type Invocation,
  type Session,
  addCommand,
  note,
  printJson,
  printTable,
} from './command.ts'
import { shownUsd } from './dollars.ts'
import {
  type EtagFlag,
  type ProjectFlag,
  addEtagFlag,
  keyArgument,
  projectArgument,
} from './resource-arguments.ts'

export function addBudgetCommands(program: Command, session: Session): void {
  const budgets = program.command('budgets').description('cap what a key, a project or all may spend')
  addCommand(budgets, session, SET)
  addCommand(budgets, session, LIST)
  addCommand(budgets, session, HITS)
  addCommand(budgets, session, ACKNOWLEDGE)
  addCommand(budgets, session, DELETE)
}

const SET: CommandRow<NameFlags & BudgetFlags & EtagFlag> = {
  usage: 'set',
  summary: 'make a budget, or change the fields that flags are given for',
  examples: [
    'pollux budgets set --project default-project --cap 10.00 --period month',
    'pollux budgets set --project default-project --key first-key --cap 1.00 --period day --policy refuse',
    'pollux budgets set --scope organization --cap 500 --period total --tool-ceiling googleSearch=0.10 --json',
  ],
  addFlags(command) {
    addNameFlags(command)
    addBudgetFlags(command)
    addEtagFlag(command, 'budget')
  },
  async run(invocation) {
    const { flags, server } = invocation
    const { table, parent } = collectionOf(flags)
    const { updateMask, body } = budgetPatch(flags)
    const budget = await server().client.call(table.updateBudget, {
      params: { ...parent, budget: budgetIdOf(flags) },
      query: { updateMask, allowMissing: true },
      body: flags.etag === undefined ? body : { ...body, etag: flags.etag },
    })
    printBudget(invocation, budget)
  },
}

const LIST: CommandRow<ProjectFlag & { readonly key?: string; readonly path?: boolean }> = {
  usage: 'list',
  summary: 'list all budgets, or those of a project or a key',
  examples: [
    'pollux budgets list',
    'pollux budgets list --project default-project --json',
    'pollux budgets list --project default-project --key first-key --path',
  ],
  addFlags(command) {
    command
      .option('-p, --project <project>', 'id or number: its budgets and those of its keys')
      .option('--key <key>', 'id or uid of a key: its budgets')
      .option('--path', 'the budgets that bind calls there: its own and those above')
  },
  async run(invocation) {
    const { flags, server } = invocation
    const { project, key, path } = flags
    const place =
      key !== undefined
        ? keyArgument(key, flags)
        : { project: project === undefined ? undefined : projectArgument(project) }
    const { budgets } = await server().client.call(LEDGER_V1.searchBudgets, { query: { ...place, path } })
    if (flags.json) return printJson(invocation, { budgets })
    printTable(invocation, budgetsTable(invocation, budgets), 'No budgets. Make one with: pollux budgets set')
  },
}

const HITS: CommandRow<ProjectFlag & { readonly key?: string }> = {
  usage: 'hits',
  summary: 'list which budgets refused calls, when and how many',
  examples: ['pollux budgets hits', 'pollux budgets hits --project default-project --json'],
  addFlags(command) {
    command
      .option('-p, --project <project>', 'id or number: its budgets and those of its keys')
      .option('--key <key>', 'id or uid of a key: its budgets')
  },
  async run(invocation) {
    const { flags, server } = invocation
    const { project, key } = flags
    const place =
      key !== undefined
        ? keyArgument(key, flags)
        : { project: project === undefined ? undefined : projectArgument(project) }
    const { capHits } = await server().client.call(LEDGER_V1.searchCapHits, { query: place })
    if (flags.json) return printJson(invocation, { capHits })
    printTable(invocation, capHitsTable(invocation, capHits), 'No budget has refused a call.')
  },
}

const ACKNOWLEDGE: CommandRow<NameFlags & EtagFlag> = {
  usage: 'acknowledge',
  summary: 'let calls through again after a budget was overrun',
  examples: ['pollux budgets acknowledge --project default-project --period month'],
  addFlags(command) {
    addNameFlags(command)
    addEtagFlag(command, 'budget')
  },
  async run(invocation) {
    const { flags, server } = invocation
    const { table, parent } = collectionOf(flags)
    const budget = await server().client.call(table.acknowledgeBudget, {
      params: { ...parent, budget: budgetIdOf(flags) },
      body: flags.etag === undefined ? {} : { etag: flags.etag },
    })
    printBudget(invocation, budget)
  },
}

const DELETE: CommandRow<NameFlags & EtagFlag & YesFlag> = {
  usage: 'delete',
  summary: 'remove a budget: nothing caps this scope and period any more',
  examples: ['pollux budgets delete --project default-project --period month --yes'],
  addFlags(command) {
    addNameFlags(command)
    addEtagFlag(command, 'budget')
    addYesFlag(command)
  },
  async run(invocation) {
    const { flags, server } = invocation
    const { table, parent } = collectionOf(flags)
    const params = { ...parent, budget: budgetIdOf(flags) }
    await confirm(invocation, 'pollux budgets delete', async () => {
      const budget = await server().client.call(table.getBudget, { params })
      const question = `Remove the ${named(budget)}, which caps at ${shownUsd(budget.cap)}? [y/N]`
      return { question, expected: 'y' }
    })
    const query = flags.etag === undefined ? {} : { etag: flags.etag }
    const answer = await server().client.call(table.deleteBudget, { params, query })
    if (flags.json) return printJson(invocation, answer)
    note(invocation, 'The budget is deleted. What it booked stays in the ledger.')
  },
}

function named(budget: BudgetJson): string {
  return `${budget.period} budget of ${ownerOf(budget)}`
}

function printBudget(invocation: Invocation<unknown>, budget: BudgetJson): void {
  if (invocation.flags.json) return printJson(invocation, budget)
  invocation.io.stdout.write(budgetDetails(invocation, budget))
}
