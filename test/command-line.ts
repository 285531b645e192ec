/** Runs the command line as a shell would, and shows what it printed without what differs from run to run. */
import { Readable } from 'node:stream'
import { type CliIo, runCli } from '../src/cli/run.ts'

export interface Shell {
  readonly url: string
  readonly token: string
}

export interface Situation {
  /** Width of the terminal; absent: standard output is a pipe. */
  readonly columns?: number
  /** What is typed or piped into standard input. */
  readonly stdin?: string
  /** Whether somebody can be asked. */
  readonly isStdinTty?: boolean
  readonly colour?: boolean
  readonly connection?: CliIo['connection']
}

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

export async function run(shell: Shell, argv: readonly string[], situation: Situation = {}): Promise<Ran> {
  const { columns, stdin = '', isStdinTty = false, colour = false } = situation
  let [out, err] = ['', '']
  const code = await runCli(argv, {
    stdout: { write: text => void (out += text), isTTY: columns !== undefined, columns },
    stderr: { write: text => void (err += text) },
    stdin: Object.assign(Readable.from([Buffer.from(stdin)]), { isTTY: isStdinTty }),
    connection: situation.connection ?? (() => shell),
    colour,
    version: '1.2.3',
  })
  return { code, out, err }
}

/** The text with times, ids, etags and secrets replaced by others of the same length. */
export function steady(text: string): string {
  return text
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '2026-01-01T00:00:00.000Z')
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '00000000-0000-0000-0000-000000000000')
    .replaceAll(/plx_[0-9A-Za-z]{36}/g, `plx_${'K'.repeat(36)}`)
    .replaceAll(/plx_….{4}/g, 'plx_…KKKK')
    .replaceAll(/W\/(\\?")[^"\\]+(\\?")/g, 'W/$1etag$2')
    .replaceAll(/(?<![-\w])\d{12}\b/g, '400000000000')
    .replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, 'http://127.0.0.1:8700')
}
