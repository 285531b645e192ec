/** `pollux prices`. */
import { type Command, Option } from 'commander'
import { ContractError } from '../contract/client.ts'
import { PRICES_V1 } from '../contract/prices.v1.ts'
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
import { instant } from './flags.ts'
import { type PriceFields, type PriceFlags, addPriceFlags, changedPrice } from './price-flags.ts'
import { followUps } from './price-follow-up.ts'
import { overrideId, overridesTable, priceDetails, pricesTable } from './price-view.ts'

export function addPriceCommands(program: Command, session: Session): void {
  const prices = program.command('prices').description('what models cost, and prices of your own')
  addCommand(prices, session, LIST)
  addCommand(prices, session, SHOW)
  addCommand(prices, session, SET)
  addCommand(prices, session, OVERRIDES)
  addCommand(prices, session, UNSET)
}

interface AtFlag {
  readonly at?: string
}

function addAtFlag(command: Command): void {
  command.addOption(new Option('--at <time>', 'at this time (default: now)').argParser(instant))
}

const LIST: CommandRow<AtFlag> = {
  usage: 'list',
  summary: 'list what every model costs, dollars per million tokens',
  examples: ['pollux prices list', 'pollux prices list --at 2027-01-01 --json'],
  addFlags: addAtFlag,
  async run(invocation) {
    const { flags, server } = invocation
    const list = await server().client.call(PRICES_V1.listPrices, { query: { at: flags.at } })
    if (flags.json) return printJson(invocation, list)
    printTable(invocation, pricesTable(invocation, list.prices), 'No model has a price at that time.')
  },
}

const SHOW: CommandRow<AtFlag> = {
  usage: 'show <model>',
  summary: 'show all that is known of what a model costs',
  examples: [
    'pollux prices show gemini-3.8-flash',
    'pollux prices show gemini-3.8-flash --at 2027-01-02 --json',
  ],
  addFlags: addAtFlag,
  async run(invocation) {
    const { args, flags, server } = invocation
    const params = { model: modelOf(args) }
    const price = await server().client.call(PRICES_V1.getPrice, { params, query: { at: flags.at } })
    if (flags.json) return printJson(invocation, price)
    invocation.io.stdout.write(priceDetails(invocation, price))
  },
}

const SET: CommandRow<PriceFlags> = {
  usage: 'set <model>',
  summary: 'set what a model costs from a time on; what no flag names stays as it is listed for then',
  examples: [
    'pollux prices set gemini-3.8-flash --input 0.60 --output 3.00 --note "our contract"',
    'pollux prices set gemini-3.8-live --input audio=2.50 --from 2027-01-01',
    'pollux prices set lyria-3.5 --unit song=0.06 --json',
  ],
  addFlags: addPriceFlags,
  async run(invocation) {
    const { args, flags, server } = invocation
    const { from, json, debug: _debug, timeout: _timeout, ...changes } = flags
    const model = modelOf(args)
    const before = await listedFields(invocation, model, from)
    const override = await server().client.call(PRICES_V1.createPriceOverride, {
      body: { model, effectiveTime: from, price: changedPrice(before, changes) },
    })
    if (json) return printJson(invocation, override)
    const { effectiveTime: at } = override
    const price = await server().client.call(PRICES_V1.getPrice, { params: { model }, query: { at } })
    invocation.io.stdout.write(priceDetails(invocation, price))
    for (const line of followUps(before, changes, override)) note(invocation, line)
    note(invocation, `Take it back with: pollux prices unset ${overrideId(override.name)}`)
  },
}

const OVERRIDES: CommandRow<object> = {
  usage: 'overrides',
  summary: 'list the prices that were set here',
  examples: ['pollux prices overrides --json'],
  async run(invocation) {
    const { flags, server } = invocation
    const list = await server().client.call(PRICES_V1.listPriceOverrides, {})
    if (flags.json) return printJson(invocation, list)
    const empty = 'No price was set. Set one with: pollux prices set'
    printTable(invocation, overridesTable(invocation, list.priceOverrides), empty)
  },
}

const UNSET: CommandRow<YesFlag> = {
  usage: 'unset <override>',
  summary: 'remove a price that was set here: the list holds again',
  examples: ['pollux prices unset 0c2f8f0e-3a52-4ffb-9b3c-6f3d1a0e7c11 --yes'],
  addFlags: addYesFlag,
  async run(invocation) {
    const { args, flags, server } = invocation
    const id = overrideId(args[0] ?? '')
    await confirm(invocation, 'pollux prices unset', () => {
      const question = `Remove the price ${id}? Calls are charged at the list again at once. [y/N]`
      return { question, expected: 'y' }
    })
    const params = { priceOverride: id }
    const answer = await server().client.call(PRICES_V1.deletePriceOverride, { params })
    if (flags.json) return printJson(invocation, answer)
    note(invocation, 'The price is removed.')
  },
}

/** With `models/` in front or without, as Google's own clients take it. */
function modelOf(args: readonly string[]): string {
  return (args[0] ?? '').replace(/^models\//, '')
}

/** What the price to be set starts from: the model's price at that time, or nothing where it has none. */
async function listedFields(
  { server }: Pick<Invocation<unknown>, 'server'>,
  model: string,
  at: string | undefined,
): Promise<PriceFields> {
  try {
    const { fields } = await server().client.call(PRICES_V1.getPrice, { params: { model }, query: { at } })
    return fields
  } catch (error) {
    if (error instanceof ContractError && error.reason === 'RESOURCE_NOT_FOUND') return {}
    throw error
  }
}
