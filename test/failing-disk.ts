/** Makes the fsync of a process fail as a dying disk would, by strace; for tests. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const FAULT = ['-f', '-e', 'trace=fsync,fdatasync,openat']

/** Why no process can be traced here; null where it can. With CI=true it has to be installed. */
export function tracingMissing(): string | null {
  const { error, status } = spawnSync('strace', ['-o', '/dev/null', 'true'])
  if (error === undefined) return status === 0 ? null : 'processes may not be traced here'
  const missing = 'strace is not installed (on Debian: apt-get install strace)'
  if (process.env['CI'] === 'true') throw new Error(missing)
  return missing
}

export interface FailingDisk {
  /** From now on fsync works again. Gives the system calls of the time between, a line each. */
  mend(): Promise<readonly string[]>
}

/** From the moment it resolves every fsync of the process fails with EIO. */
export async function failFsync(pid: number): Promise<FailingDisk> {
  const folder = await mkdtemp(join(tmpdir(), 'pollux-strace-'))
  const log = join(folder, 'log')
  const inject = ['-e', 'inject=fsync,fdatasync:error=EIO']
  const strace = spawn('strace', [...FAULT, ...inject, '-o', log, '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(strace, 'exit')
  const told = createInterface({ input: strace.stderr })
  await new Promise<void>((resolve, reject) => {
    told.on('line', line => line.includes('attached') && resolve())
    strace.once('exit', code => reject(new Error(`strace ended with ${code}`)))
  })
  return {
    async mend() {
      strace.kill('SIGINT')
      await ended
      const lines = (await readFile(log, 'utf8')).split('\n')
      await rm(folder, { recursive: true })
      return lines
    },
  }
}

/** Runs a module of which only the first fsync fails, to its end. Gives what it printed. */
export function runFailingFirstFsync(source: string): string {
  const { stdout, stderr, status } = spawnSync(
    'strace',
    [...FAULT, '-e', 'inject=fsync:error=EIO:when=1', '-o', '/dev/null'].concat([
      process.execPath,
      '--input-type=module',
      '-e',
      source,
    ]),
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(stderr)
  return stdout.trim()
}
