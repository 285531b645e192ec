/** Reading from standard input: a secret that must not be an argument, or a person's confirmation. */
import type { Command } from 'commander'
import type { CliIo, Invocation } from './command.ts'
import { EXIT, CliError, usageError } from './errors.ts'
import { printable } from './printable.ts'

const LINE_BYTES_MAX = 4_096

/** The first line of standard input without surrounding blanks; what there is when it ends before. */
export async function readLine({ stdin }: Pick<CliIo, 'stdin'>): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stdin) {
    const buffer = Buffer.from(chunk)
    chunks.push(buffer)
    bytes += buffer.length
    if (bytes > LINE_BYTES_MAX) throw usageError('The first line of standard input is too long for a key.')
    if (buffer.includes(0x0a)) break
  }
  return (Buffer.concat(chunks).toString('utf8').split('\n')[0] ?? '').trim()
}

export interface YesFlag {
  readonly yes?: boolean
}

export function addYesFlag(command: Command): void {
  command.option('-y, --yes', 'do not ask')
}

interface Question {
  readonly question: string
  readonly expected: string
}

/**
 * Asks before something is destroyed, unless `--yes` was given. Throws unless the answer is the expected one, and a usage
 * error where nobody could answer; only after that `ask` is called, which may have to look up what it asks about.
 */
export async function confirm(
  { io, flags }: Pick<Invocation<YesFlag>, 'io' | 'flags'>,
  command: string,
  ask: () => Question | Promise<Question>,
): Promise<void> {
  if (flags.yes) return
  if (io.stdin.isTTY !== true) {
    throw usageError(
      `${command} asks for confirmation, and standard input is no terminal.`,
      'Give --yes to go ahead.',
    )
  }
  const { question, expected } = await ask()
  io.stderr.write(`${printable(question)} `)
  const answer = await readLine(io)
  if (answer.toLowerCase() === expected.toLowerCase()) return
  throw new CliError(`${command} was not confirmed; nothing was changed.`, {
    exitCode: EXIT.general,
    reason: 'NOT_CONFIRMED',
  })
}
