/** `pollux rekey`. */
import { AUDIT_V1 } from '../contract/audit.v1.ts'
import { type CommandRow, note, printJson } from './command.ts'

export const REKEY: CommandRow<object> = {
  usage: 'rekey',
  summary: 'seal every secret under the first master key of the server; can be interrupted and run again',
  examples: ['pollux rekey'],
  async run(invocation) {
    const { flags, server } = invocation
    const { client } = server()
    let found = await client.call(AUDIT_V1.rekeySecrets, { body: {} })
    while (found.remaining > 0) found = await client.call(AUDIT_V1.rekeySecrets, { body: {} })
    if (flags.json) return printJson(invocation, found)
    note(
      invocation,
      `All ${found.verified} secrets are sealed under the master key ${found.masterKeyId}, and every one of them opened. ` +
        'Older master keys are no longer needed here; backups that were made before still need them.',
    )
  },
}
