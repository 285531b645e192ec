/** argv in, an exit code out: the commands that are clients of a running Pollux. */
import { Command, CommanderError } from 'commander'
import { redactCredentials } from '../domain/redaction.ts'
import { type CliIo, type Session, examplesText } from './command.ts'
import { EXIT, reportOf, usageError } from './errors.ts'
import { printable, printableJson, printableLines } from './printable.ts'

export type { CliIo } from './command.ts'

const HELP_COLUMNS = 80

const EXIT_CODES_TEXT = `
Exit codes:
  0 ok               3 not found             6 conflict or precondition   9 unavailable or timeout
  1 general failure  4 not authenticated     7 too many requests         10 keys test: the call would be refused
  2 usage            5 permission denied     8 spend cap reached
  12 ledger verify: an overrun that nobody has acknowledged
  13 ledger verify: a budget differs from its records; audit verify: the trail is broken`

/**
 * Runs one command and resolves to its exit code (errors.ts has the table). Never rejects: failures are printed on
 * standard error, with --json as one JSON object.
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  const session: Session = { io, exitCode: EXIT.ok }
  try {
    assertNoCredential(argv)
    const program = await createProgram(argv, session)
    await program.parseAsync([...argv], { from: 'user' })
    return session.exitCode
  } catch (error) {
    // Commander's way to end after help or version was printed; exit code 1 is help that nobody asked for.
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage
    return printFailure(error, argv, io)
  }
}

/** Arguments are in the process list, the shell's history and CI logs: a key there has leaked already. */
function assertNoCredential(argv: readonly string[]): void {
  if (argv.every(argument => redactCredentials(argument) === argument)) return
  throw usageError(
    'An argument looks like a key. Arguments show in the process list and in the history of the shell, so keys are read from standard input only; nothing was sent.',
    'Use `pollux keys lookup --stdin`. Take the key for leaked: make a new one and delete it.',
  )
}

async function createProgram(argv: readonly string[], session: Session): Promise<Command> {
  const { io } = session
  const program = new Command('pollux')
    .description('Keys for the Gemini API: make them, restrict them, watch what they use.')
    .exitOverride()
    .configureOutput({
      writeOut: text => void io.stdout.write(text),
      writeErr: text => void io.stderr.write(text),
      // Failures are printed in one place, by printFailure.
      outputError: () => {},
      getOutHelpWidth: () => io.stdout.columns ?? HELP_COLUMNS,
      getErrHelpWidth: () => io.stdout.columns ?? HELP_COLUMNS,
      getOutHasColors: () => io.colour,
      getErrHasColors: () => io.colour,
    })
    .version(io.version, '-V, --version')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      examplesText(['pollux keys create --display-name "Web shop"', 'pollux usage --since 7d']),
    )
    .addHelpText('after', EXIT_CODES_TEXT)
  io.extraCommands?.(program)
  // `pollux start` is not kept waiting by the modules of commands that it is not.
  if (!program.commands.some(command => command.name() === argv[0])) {
    const { addClientCommands } = await import('./commands.ts')
    addClientCommands(program, session)
  }
  for (const group of program.commands.filter(({ commands }) => commands.length > 0)) {
    group.addHelpText(
      'after',
      examplesText([`pollux ${group.name()} ${group.commands[0]?.name() ?? ''} --help`]),
    )
  }
  return program
}

function printFailure(error: unknown, argv: readonly string[], { stderr, colour }: CliIo): number {
  const { exitCode, ...failure } = reportOf(error)
  const { code, message, reason, requestId, hint } = failure
  if (argv.includes('--json')) {
    stderr.write(`${printableJson({ error: { code, message, reason, requestId, hint } })}\n`)
    return exitCode
  }
  stderr.write(`${colour ? '\u001b[31merror:\u001b[0m' : 'error:'} ${message}\n`)
  if (hint !== null) stderr.write(`hint: ${hint}\n`)
  if (requestId !== null && argv.includes('--debug'))
    stderr.write(`debug: request id ${printable(requestId)}\n`)
  if (argv.includes('--debug') && error instanceof Error && reason === 'INTERNAL') {
    stderr.write(`${printableLines(redactCredentials(error.stack ?? ''))}\n`)
  }
  return exitCode
}
