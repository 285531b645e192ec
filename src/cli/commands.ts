/** The commands that are clients of a running Pollux, as `pollux --help` lists them. */
import type { Command } from 'commander'
import { addAuditCommands } from './audit.ts'
import { addBudgetCommands } from './budgets.ts'
import { addCallCommands } from './calls.ts'
import { addKeyCommands } from './keys.ts'
import { addIamCommands } from './iam.ts'
import { addLedgerCommands } from './ledger.ts'
import { addPriceCommands } from './prices.ts'
import { addProjectCommands } from './projects.ts'
import { addServiceAccountCommands } from './service-accounts.ts'
import { addTokenCommands } from './tokens.ts'
import { addQuotaCommands } from './quotas.ts'
import { addTierCommands } from './tiers.ts'
import { REKEY } from './rekey.ts'
import { USAGE } from './usage.ts'
import { addUserCommands } from './users.ts'
import { type CommandRow, type Session, addCommand, printJson } from './command.ts'

/** Adds them to the program, in the order in which help shows them. */
export function addClientCommands(program: Command, session: Session): void {
  addProjectCommands(program, session)
  addKeyCommands(program, session)
  addBudgetCommands(program, session)
  addQuotaCommands(program, session)
  addTierCommands(program, session)
  addLedgerCommands(program, session)
  addIamCommands(program, session)
  addServiceAccountCommands(program, session)
  addTokenCommands(program, session)
  addAuditCommands(program, session)
  addCommand(program, session, REKEY)
  addPriceCommands(program, session)
  addUserCommands(program, session)
  addCommand(program, session, USAGE)
  addCallCommands(program, session)
  addCommand(program, session, VERSION)
}

const VERSION: CommandRow<object> = {
  usage: 'version',
  summary: 'print the version of this command line',
  examples: ['pollux version --json'],
  async run(invocation) {
    const { version } = invocation.io
    if (invocation.flags.json) return printJson(invocation, { version })
    invocation.io.stdout.write(`pollux ${version}\n`)
  },
}
