/** A command as data, and what it is given when it runs. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Client, ContractError, createClient } from '../contract/client.ts'
import { CliError, EXIT, usageError } from './errors.ts'
import { duration } from './flags.ts'
import { DAY_MS, relativeTime } from './moment.ts'
import { printable, printableJson } from './printable.ts'
import { type Table, renderTable } from './table.ts'

/** What the command line touches of the world. */
export interface CliIo {
  readonly stdout: {
    write(text: string): unknown
    readonly isTTY?: boolean
    readonly columns?: number | undefined
  }
  readonly stderr: { write(text: string): unknown }
  readonly stdin: AsyncIterable<Buffer | string> & { readonly isTTY?: boolean }
  /** Where the server is and the token to use there. What it throws ends the command with exit code 4. */
  readonly connection: () => { readonly url: string; readonly token: string }
  readonly colour: boolean
  readonly version: string
  /** Adds commands that are no clients, such as `start`. */
  readonly extraCommands?: (program: Command) => void
}

/** One run of the program. `exitCode` is set by the command that runs. */
export interface Session {
  readonly io: CliIo
  exitCode: number
}

/** Flags of every command. */
interface EveryFlags {
  readonly json?: boolean
  readonly debug?: boolean
  /** Of one request, in ms. */
  readonly timeout?: number
}

export interface Invocation<Flags> {
  readonly io: CliIo
  readonly nowMs: number
  readonly flags: Flags & EveryFlags
  readonly args: readonly string[]
  /** The server; found when it is first needed, so that mistakes of usage are told first. */
  readonly server: () => { readonly client: Client; readonly url: string }
}

export interface CommandRow<Flags> {
  /** Name and arguments, e.g. `get <key>`. */
  readonly usage: string
  readonly summary: string
  /** Lines without the prompt; each can be pasted. */
  readonly examples: readonly [string, ...string[]]
  readonly addFlags?: (command: Command) => void
  /** Returns the exit code if it is not 0. */
  readonly run: (invocation: Invocation<Flags>) => Promise<number | void>
}

const TIMEOUT_MS = 60_000
const COLUMNS_DEFAULT = 80

export function addCommand<Flags>(parent: Command, session: Session, row: CommandRow<Flags>): void {
  const command = parent.command(row.usage).description(row.summary)
  row.addFlags?.(command)
  command
    .addOption(new Option('--json', 'print what the API answers'))
    .option('--timeout <duration>', 'give up on a request after this long (default: 60s)', timeoutOf)
    .option('--debug', 'print requests and faults to standard error')
    .addHelpText('after', examplesText(row.examples))
    .action(async () => {
      const flags = command.opts<Flags & EveryFlags>()
      let server: ReturnType<typeof connect> | undefined
      const code = await row.run({
        io: session.io,
        nowMs: Date.now(),
        flags,
        args: command.args,
        server: () => (server ??= connect(session.io, flags)),
      })
      session.exitCode = code ?? EXIT.ok
    })
}

export function examplesText(examples: readonly string[]): string {
  const title = examples.length === 1 ? 'Example' : 'Examples'
  return `\n${title}:\n${examples.map(example => `  $ ${example}`).join('\n')}`
}

function timeoutOf(text: string): number {
  const timeoutMs = duration(text)
  if (timeoutMs > DAY_MS) throw new InvalidArgumentError('It may be a day at most.')
  return timeoutMs
}

function connect(io: CliIo, { debug = false, timeout: timeoutMs = TIMEOUT_MS }: EveryFlags) {
  const { url, token } = connectionOf(io)
  const trace = (what: string): void => {
    if (debug) io.stderr.write(`debug: ${printable(what)}\n`)
  }
  const send: typeof fetch = async (target, init) => {
    const startMs = performance.now()
    // URLs of this client never carry a key: it is looked up by POST, and refused as an argument.
    if (typeof target === 'string') trace(`${init?.method ?? 'GET'} ${target}`)
    try {
      const response = await fetch(target, { ...init, signal: AbortSignal.timeout(timeoutMs) })
      const requestId = response.headers.get('x-request-id') ?? 'none'
      trace(`${response.status} in ${Math.round(performance.now() - startMs)} ms, request id ${requestId}`)
      return response
    } catch (error) {
      trace(causeOf(error))
      throw error
    }
  }
  const contract = createClient({ baseUrl: url, token, fetch: send })
  const client: Client = {
    async call(endpoint, input) {
      const reply = await contract
        .call(endpoint, input)
        .catch(error => throwNamingUrl(error, { url, timeoutMs }))
      // Every endpoint that a command calls answers an object; a web page is no empty list.
      if (typeof reply !== 'object' || reply === null) throw notPollux(url)
      return reply
    },
  }
  return { url, client }
}

/** The contract's client knows neither where the URL came from nor how long was waited. */
function throwNamingUrl(
  error: unknown,
  { url, timeoutMs }: { readonly url: string; readonly timeoutMs: number },
): never {
  if (!(error instanceof ContractError) || error.reason !== 'SERVER_UNREACHABLE') throw error
  const isTimeout = error.cause instanceof Error && error.cause.name === 'TimeoutError'
  const message = isTimeout
    ? `No answer from ${url} within ${timeoutMs / 1_000} s.`
    : `No answer from ${url}.`
  const { httpStatus, status, reason, requestId } = error
  throw new ContractError({ httpStatus, status, reason, message, requestId }, error.cause)
}

function notPollux(url: string): ContractError {
  return new ContractError({
    httpStatus: 200,
    status: 'UNKNOWN',
    reason: 'REPLY_MALFORMED',
    message: `What answers at ${url} is no Pollux.`,
    requestId: '',
  })
}

function connectionOf(io: CliIo): { readonly url: string; readonly token: string } {
  const { url, token } = givenConnection(io)
  if (URL.canParse(url)) {
    const { username, password } = new URL(url)
    if (username === '' && password === '') return { url: url.replace(/\/+$/, ''), token }
  }
  throw usageError(
    'The URL of the server is no URL, or carries a password.',
    'Set POLLUX_URL and POLLUX_TOKEN.',
  )
}

function givenConnection(io: CliIo): { readonly url: string; readonly token: string } {
  try {
    return io.connection()
  } catch (error) {
    if (error instanceof CliError) throw error
    const message = error instanceof Error ? error.message : String(error)
    throw new CliError(message, { exitCode: EXIT.authentication, reason: 'NOT_CONNECTED' })
  }
}

/** What undici hides under "fetch failed". */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}

/** Standard output is for what was asked for... */
export function printJson({ io }: Pick<Invocation<unknown>, 'io'>, value: unknown): void {
  io.stdout.write(`${printableJson(value)}\n`)
}

/** ...and standard error for everything else. */
export function note({ io }: Pick<Invocation<unknown>, 'io'>, text: string): void {
  io.stderr.write(`${printable(text)}\n`)
}

/** Prints a table, or `empty` where there is nothing in it. */
export function printTable({ io }: Pick<Invocation<unknown>, 'io'>, table: Table, empty: string): void {
  if (table.rows.length === 0) return note({ io }, empty)
  const width = io.stdout.isTTY === true ? (io.stdout.columns ?? COLUMNS_DEFAULT) : null
  const { text, hidden } = renderTable(table, { width, isBold: io.colour && io.stdout.isTTY === true })
  io.stdout.write(text)
  if (hidden.length > 0) note({ io }, `hint: no room for ${hidden.join(', ')}; --json shows everything`)
}

/** A time of the API for people: its distance on a terminal, RFC 3339 in a pipe, `absent` when there is none. */
export function shownTime(
  { io, nowMs }: Pick<Invocation<unknown>, 'io' | 'nowMs'>,
  time: string | null | undefined,
  absent = '',
): string {
  if (time === undefined || time === null) return absent
  return io.stdout.isTTY === true ? relativeTime(Date.parse(time), nowMs) : time
}
