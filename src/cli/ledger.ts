/** `pollux ledger`. */
import type { Command } from 'commander'
import { LEDGER_V1 } from '../contract/budgets.v1.ts'
import type { ResponseOf } from '../contract/endpoint.ts'
import {
  type CommandRow,
  type Session,
  addCommand,
  note,
  printJson,
  printTable,
  shownTime,
} from './command.ts'
import { shownUsd } from './dollars.ts'
import { EXIT } from './errors.ts'
import { printable } from './printable.ts'

type Verification = ResponseOf<typeof LEDGER_V1.verifyLedger>

export function addLedgerCommands(program: Command, session: Session): void {
  const ledger = program.command('ledger').description('check what was spent')
  addCommand(ledger, session, VERIFY)
}

const VERIFY: CommandRow<object> = {
  usage: 'verify',
  summary: `recompute every budget from its records; exit code ${EXIT.drift} where one differs, else ${EXIT.overrun} where an overrun is not acknowledged`,
  examples: ['pollux ledger verify', 'pollux ledger verify --json --timeout 10m'],
  async run(invocation) {
    const { flags, server } = invocation
    const verification = await server().client.call(LEDGER_V1.verifyLedger, { body: {} })
    if (flags.json) printJson(invocation, verification)
    else printVerification(invocation, verification)
    return exitCodeOf(verification)
  },
}

/** Drift outweighs an overrun: its figures cannot be relied on. */
function exitCodeOf({ drifts, overruns }: Verification): number {
  if (drifts.length > 0) return EXIT.drift
  return overruns > 0 ? EXIT.overrun : EXIT.ok
}

function printVerification(
  invocation: Parameters<(typeof VERIFY)['run']>[0],
  { rowsChecked, recordsChecked, drifts, overruns }: Verification,
): void {
  const money = (title: string) => ({ title, align: 'right' as const, isWhole: true, isKept: true })
  const columns = [
    { title: 'BUDGET', isKept: true, isIdentity: true },
    { title: 'SINCE', isWhole: true },
    { title: 'WHAT', isWhole: true, isKept: true },
    money('BOOKED'),
    money('EXPECTED'),
  ]
  const rows = drifts.map(({ budget, periodStartTime, what, booked, expected }) => [
    budget,
    shownTime(invocation, periodStartTime),
    what,
    shownUsd(booked),
    shownUsd(expected),
  ])
  const checked = printable(`${rowsChecked} budget periods against ${recordsChecked} records`)
  if (drifts.length === 0) {
    invocation.io.stdout.write(`Checked ${checked}: every budget equals its records.\n`)
  } else {
    printTable(invocation, { columns, rows }, '')
    note(invocation, `Checked ${checked}: ${drifts.length} amounts differ.`)
  }
  if (overruns === 0) return
  note(invocation, `Overruns that nobody has acknowledged: ${overruns}.`)
  note(invocation, 'hint: `pollux budgets list` shows them; `pollux budgets acknowledge` lets calls through.')
}
