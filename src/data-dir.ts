/** The folder that is this node's own: database, token for the CLI, master key. Nobody else may read it. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from './config.ts'
import { ApiError } from './domain/error.ts'
import type { EngineChoice } from './storage/engine.ts'

export interface DataFiles {
  readonly databasePath: string
  /** A management token for the CLI on the same machine. */
  readonly localTokenPath: string
  /** Where the first key is left when there is no terminal to show it on. */
  readonly firstKeyPath: string
}

/** Where things are in a data folder. */
export function dataFiles(dataDir: string): DataFiles {
  return {
    databasePath: join(dataDir, 'pollux.sqlite'),
    localTokenPath: join(dataDir, 'local-token'),
    firstKeyPath: join(dataDir, 'first-key'),
  }
}

/** Which database the configuration means. */
export function engineOf({ database, dataDir }: Pick<Config, 'database' | 'dataDir'>): EngineChoice {
  return database.kind === 'sqlite'
    ? { kind: 'sqlite', path: dataFiles(dataDir).databasePath }
    : { kind: 'postgres', url: database.url.reveal() }
}

/** Makes the folder. Throws STATE_CONFLICT when it cannot. */
export async function prepareDataDir(config: Pick<Config, 'dataDir'>): Promise<DataFiles> {
  try {
    await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new ApiError(
      'STATE_CONFLICT',
      `The data folder ${config.dataDir} cannot be written (${codeOf(cause)}). Make it writable for this user, or set POLLUX_DATA_DIR.`,
      { cause },
    )
  }
  return dataFiles(config.dataDir)
}

/** The trimmed text of a file; null when there is no such file. */
export async function readSecretFile(path: string): Promise<string | null> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return null
    throw cause
  }
}

/** Writes a file that only this user may read (0600), whole or not at all. */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  const draft = `${path}.new`
  await writeFile(draft, `${text}\n`, { mode: 0o600, flush: true })
  await rename(draft, path)
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
}
