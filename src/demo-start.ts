/** `pollux start --demo`: a month of a small company to look at, in a folder of its own, never beside real data. */
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, ConfigError } from './config.ts'
import { writeSecretFile } from './data-dir.ts'
import type { DemoPlace } from './demo/seed.ts'
import { ApiError } from './domain/error.ts'

const SEED = 1_811
/** In the folder: says that it is a demo's, and whether all of it is there. */
const MARK = 'demo'
const [UNFINISHED, FINISHED] = ['unfinished\n', 'finished']

export interface Demo {
  readonly config: Config
  /** Makes the month where it is not there yet; to be called before anything else uses the storage. */
  fill(place: Omit<DemoPlace, 'seed' | 'nowMs'>): Promise<void>
  /** What the start says of it besides. */
  lines(): readonly string[]
  /** Removes a folder that was made for this start only. */
  close(): Promise<void>
}

/**
 * Finds or makes the folder: `dataDir` where one is given, else a temporary one. Throws ConfigError beside what a demo must
 * not touch, and STATE_CONFLICT for a folder that holds anything else than a whole demo.
 */
export async function openDemo(config: Config, dataDir: string | undefined): Promise<Demo> {
  refuseRealThings(config)
  const isTemporary = dataDir === undefined
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), 'pollux-demo-')))
  const isNew = await isEmpty(folder)
  if (isNew) {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeFile(join(folder, MARK), UNFINISHED, { mode: 0o600 })
  }
  let link: string | null = null
  return {
    config: { ...config, dataDir: folder, nodeDir: folder },
    async fill(place) {
      if (!isNew) return
      const { seedDemo } = await import('./demo/seed.ts')
      link = await seedDemo({ ...place, seed: SEED, nowMs: Date.now() })
      await writeSecretFile(join(folder, MARK), FINISHED)
    },
    lines: () => [
      'This is a demo: its projects, keys, people and calls are made up, and calls go to the sandbox.',
      isTemporary
        ? 'It is removed when Pollux stops. Commands of another shell find it after:'
        : 'It stays in its folder for the next start. Commands of another shell find it after:',
      '',
      `  export POLLUX_DATA_DIR='${folder}'`,
      '',
      ...(link === null
        ? ['Sign in with a link of `pollux users reset-link ada@example.com`, or with the token.', '']
        : ['Become its owner, by this link, once and within three days:', '', `  ${link}`, '']),
    ],
    close: async () => {
      if (isTemporary) await rm(folder, { recursive: true, force: true })
    },
  }
}

function refuseRealThings({ upstream, database, redisUrl }: Config): void {
  const problems = [
    ...(upstream.kind === 'gemini'
      ? [`${upstream.credentialFrom} is set, but a demo uses the sandbox only: unset it in this shell`]
      : []),
    ...(database.kind === 'postgres'
      ? ['POLLUX_DATABASE_URL is set, but a demo has a database of its own: unset it in this shell']
      : []),
    ...(redisUrl === null
      ? []
      : ['POLLUX_REDIS_URL is set, but a demo counts for itself: unset it in this shell']),
  ]
  if (problems.length > 0) throw new ConfigError(problems)
}

/** Whether there is nothing yet; a whole demo is there otherwise. */
async function isEmpty(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  if (names.length === 0) return true
  if (!names.includes(MARK)) {
    throw new ApiError(
      'STATE_CONFLICT',
      `The folder ${folder} holds something else than a demo, and a demo is never mixed with other data. Set POLLUX_DATA_DIR to an empty folder, or unset it.`,
    )
  }
  if ((await readFile(join(folder, MARK), 'utf8')).trim() === FINISHED) return false
  throw new ApiError(
    'STATE_CONFLICT',
    `The demo in ${folder} is not whole: its start was interrupted, or is under way. Remove the folder, or set POLLUX_DATA_DIR to an empty one.`,
  )
}
