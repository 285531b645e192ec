/** Looks for secrets in whatever left the process, in every form in which one could hide there. */
import { readFile, readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Something that was written somewhere. */
export interface Sink {
  readonly where: string
  readonly content: Buffer
}

/** Shorter than any secret, so that a cut one is found too; long enough to hit nothing else. */
const NEEDLE_LENGTH = 20

/** The middle of a secret as it is, and encoded: base64 in all three alignments, base64url, hexadecimal, URL. */
function formsOf(secret: string): readonly Buffer[] {
  const middle = Math.floor((secret.length - NEEDLE_LENGTH) / 2)
  const needle = secret.slice(middle, middle + NEEDLE_LENGTH)
  const forms = new Set([needle, encodeURIComponent(needle), JSON.stringify(needle).slice(1, -1)])
  for (const shift of [0, 1, 2]) {
    for (const encoding of ['base64', 'base64url'] as const) {
      // The first and the last characters depend on what stands beside it.
      forms.add(
        Buffer.from(needle.slice(shift))
          .toString(encoding)
          .slice(0, Math.floor(((NEEDLE_LENGTH - shift) * 4) / 3)),
      )
    }
  }
  forms.add(Buffer.from(needle).toString('hex'))
  return [...forms].map(form => Buffer.from(form))
}

/** Where which secret is. `secrets` by a name that may be printed. */
export function findLeaks(sinks: readonly Sink[], secrets: ReadonlyMap<string, string>): readonly string[] {
  const leaks: string[] = []
  for (const [name, secret] of secrets) {
    const forms = formsOf(secret)
    for (const { where, content } of sinks) {
      const at = forms.map(form => content.indexOf(form)).find(index => index !== -1)
      if (at !== undefined) leaks.push(`${name} in ${where}: ${around(content, at)}`)
    }
  }
  return leaks
}

function around(content: Buffer, at: number): string {
  return JSON.stringify(content.subarray(Math.max(0, at - 60), at + 30).toString('latin1'))
}

/** Every file of a folder but those named: databases, their logs and all else, byte by byte. */
export async function filesOf(folder: string, except: readonly string[]): Promise<readonly Sink[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const kept = entries
    .filter(entry => entry.isFile())
    .map(entry => relative(folder, join(entry.parentPath, entry.name)))
    .filter(name => !except.includes(name))
  return await Promise.all(
    kept.map(async name => ({ where: `file ${name}`, content: await readFile(join(folder, name)) })),
  )
}

/** Every column of every table, each value by itself: pages of the file may cut a long one in two. */
export function columnsOf(databasePath: string): readonly Sink[] {
  const database = new DatabaseSync(databasePath, { readOnly: true })
  try {
    const tables = database.prepare("select name from sqlite_master where type = 'table'").all()
    return tables.flatMap(({ name }) => {
      const values = new Map<string, unknown[]>()
      for (const row of database.prepare(`select * from "${String(name)}"`).all()) {
        for (const [column, value] of Object.entries(row)) {
          const list = values.get(column) ?? []
          values.set(column, list)
          list.push(value)
        }
      }
      return [...values].map(([column, list]) => ({
        where: `column ${String(name)}.${column}`,
        content: Buffer.from(list.map(String).join('\n')),
      }))
    })
  } finally {
    database.close()
  }
}
