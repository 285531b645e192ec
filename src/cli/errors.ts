/** What a command ends with: one table of exit codes, and every failure as something a person or a script can read. */
import { CommanderError } from 'commander'
import { ContractError } from '../contract/client.ts'
import type { CanonicalCode, Reason } from '../domain/error.ts'
import { redactCredentials } from '../domain/redaction.ts'
import { printable, printableLines } from './printable.ts'

/** Exit codes of the command line; documented in the program's help. 130 is the shell's for Ctrl-C. */
export const EXIT = {
  ok: 0,
  general: 1,
  usage: 2,
  notFound: 3,
  authentication: 4,
  permission: 5,
  conflict: 6,
  rate: 7,
  spendCap: 8,
  unavailable: 9,
  testDenied: 10,
  /** 11 is kept for a leaked key that a scan finds. */
  overrun: 12,
  drift: 13,
} as const

type ExitCode = (typeof EXIT)[keyof typeof EXIT]
/** The server's reasons, and the two of the contract's client. */
type AnyReason = Reason | 'SERVER_UNREACHABLE' | 'REPLY_MALFORMED'

/** Reasons that mean something else than their canonical code does. */
const EXIT_OF_REASON: Readonly<Partial<Record<AnyReason, ExitCode>>> = {
  // Waiting does not help: something has to be deleted first.
  RESOURCE_QUOTA_EXCEEDED: EXIT.conflict,
  // No route of this server: an older or another one, not a missing resource.
  METHOD_UNKNOWN: EXIT.general,
  // As where books and records differ: the figures cannot be relied on.
  DATABASE_DAMAGED: EXIT.drift,
}

const EXIT_OF_STATUS: Readonly<Record<CanonicalCode, ExitCode>> = {
  INVALID_ARGUMENT: EXIT.usage,
  FAILED_PRECONDITION: EXIT.conflict,
  UNAUTHENTICATED: EXIT.authentication,
  PERMISSION_DENIED: EXIT.permission,
  NOT_FOUND: EXIT.notFound,
  ABORTED: EXIT.conflict,
  ALREADY_EXISTS: EXIT.conflict,
  RESOURCE_EXHAUSTED: EXIT.rate,
  CANCELLED: EXIT.general,
  INTERNAL: EXIT.general,
  UNIMPLEMENTED: EXIT.general,
  UNAVAILABLE: EXIT.unavailable,
  DEADLINE_EXCEEDED: EXIT.unavailable,
}

/** Where the HTTP status says more than the body: the spend cap's, and what proxies answer in a server's place. */
const EXIT_OF_HTTP: Readonly<Record<number, ExitCode>> = {
  402: EXIT.spendCap,
  429: EXIT.rate,
  502: EXIT.unavailable,
  503: EXIT.unavailable,
  504: EXIT.unavailable,
}

const HINTS: Readonly<Partial<Record<AnyReason, string>>> = {
  ACCESS_TOKEN_MISSING: 'Set POLLUX_TOKEN to a management token.',
  ACCESS_TOKEN_INVALID:
    'Set POLLUX_TOKEN to a current management token (plx_pat_… or the POLLUX_ADMIN_TOKEN).',
  ETAG_MISMATCH: 'It was changed after it was read. Read it again and repeat the command.',
  KEY_IN_USE: 'Wait until nobody uses the key, or leave out --check-existing-usage.',
  ALREADY_EXISTS: 'Choose another id. Ids of what was deleted are taken until it is purged.',
  RESOURCE_QUOTA_EXCEEDED: 'Delete keys that nobody uses; `pollux keys list` shows when each was last used.',
  METHOD_UNKNOWN: 'The server may be of another version than this command line (`pollux version`).',
  REPLY_MALFORMED: 'POLLUX_URL must lead to a Pollux.',
  SERVER_UNREACHABLE: 'Start Pollux with `npm start`, or set POLLUX_URL to where it runs.',
  STORAGE_UNAVAILABLE: 'Try again; if it stays so, look at the log of the server.',
}

/** A failure of the command line itself. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number
  readonly reason: string
  readonly hint: string | null

  constructor(
    message: string,
    facts: { readonly exitCode: number; readonly reason: string; readonly hint?: string },
  ) {
    super(message)
    this.exitCode = facts.exitCode
    this.reason = facts.reason
    this.hint = facts.hint ?? null
  }
}

/** The command was not given what it needs: exit code 2. */
export function usageError(message: string, hint?: string): CliError {
  return new CliError(message, {
    exitCode: EXIT.usage,
    reason: 'USAGE',
    ...(hint === undefined ? {} : { hint }),
  })
}

export interface FailureReport {
  readonly exitCode: number
  /** HTTP status of the server's answer; null where there was none. */
  readonly code: number | null
  readonly message: string
  readonly reason: string
  readonly requestId: string | null
  readonly hint: string | null
}

/** A failure as it is printed: harmless to a terminal, without anything that looks like a key. */
export function reportOf(error: unknown): FailureReport {
  const report = plainReport(error)
  return { ...report, message: redactCredentials(report.message) }
}

function plainReport(error: unknown): FailureReport {
  if (error instanceof ContractError) {
    const { httpStatus, reason, requestId } = error
    return {
      exitCode: exitCodeOf(error),
      code: httpStatus === 0 ? null : httpStatus,
      message: printable(error.message),
      reason: printable(reason),
      requestId: requestId === '' ? null : printable(requestId),
      hint: rowOf(HINTS, reason) ?? null,
    }
  }
  const local = { code: null, requestId: null }
  if (error instanceof CliError) {
    const { exitCode, reason, hint } = error
    return { ...local, exitCode, message: printableLines(error.message), reason, hint }
  }
  if (error instanceof CommanderError) {
    // Commander writes its suggestion ("Did you mean") on a line of its own.
    const message = printable(error.message.replace(/^error: /, '').replaceAll('\n', ' '))
    return { ...local, exitCode: EXIT.usage, message, reason: 'USAGE', hint: null }
  }
  const message = printableLines(error instanceof Error ? error.message : String(error))
  const hint = 'This is a fault of the command line itself. --debug shows where it happened.'
  return { ...local, exitCode: EXIT.general, message, reason: 'INTERNAL', hint }
}

/** The exit code of a server's refusal: by its reason, then its HTTP status, then its canonical code. */
export function exitCodeOf(error: Pick<ContractError, 'reason' | 'httpStatus' | 'status'>): number {
  const { reason, httpStatus, status } = error
  return (
    rowOf(EXIT_OF_REASON, reason) ??
    rowOf(EXIT_OF_HTTP, String(httpStatus)) ??
    rowOf(EXIT_OF_STATUS, status) ??
    EXIT.general
  )
}

/** The row of a name that came from a server, and may be any. */
function rowOf<Value>(rows: Readonly<Partial<Record<string, Value>>>, name: string): Value | undefined {
  return Object.hasOwn(rows, name) ? rows[name] : undefined
}
