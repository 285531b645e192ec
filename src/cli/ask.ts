/** Reading from standard input: a secret that must not be an argument, or a person's confirmation. */
import type { CliIo } from './command.ts'
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

/**
 * Asks before something is destroyed. Throws unless the answer is `expected`, or where nobody can answer: then the flag
 * `--yes` is the only way.
 */
export async function confirm(
  io: CliIo,
  {
    question,
    expected,
    command,
  }: { readonly question: string; readonly expected: string; readonly command: string },
): Promise<void> {
  io.stderr.write(`${printable(question)} `)
  const answer = await readLine(io)
  if (answer.toLowerCase() === expected.toLowerCase()) return
  throw new CliError(`${command} was not confirmed; nothing was changed.`, {
    exitCode: EXIT.general,
    reason: 'NOT_CONFIRMED',
  })
}

/** Throws a usage error where nobody could answer a question. */
export function assertCanAsk({ stdin }: CliIo, command: string): void {
  if (stdin.isTTY === true) return
  throw usageError(
    `${command} asks for confirmation, and standard input is no terminal.`,
    'Give --yes to go ahead.',
  )
}
