/** A real Redis in a temporary folder, for tests: reached by a port of its own, gone when the tests end. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createClient } from 'redis'
import { freePort } from './pollux.ts'

export interface TestRedis {
  readonly url: string
  /** Stops it in its tracks: it keeps its port, and answers nothing. */
  freeze(): void
  thaw(): void
  /** Sends one command, as another program would. */
  command(...words: readonly string[]): Promise<unknown>
  /** Ends it, and starts it again without what it held. */
  restart(): Promise<void>
  /** Ends it. */
  end(): Promise<void>
  stop(): Promise<void>
}

/** Starts a server, or says why it cannot; with CI=true that is a failure. */
export async function startRedis(): Promise<TestRedis | { readonly skip: string }> {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' })
  } catch {
    const skip = 'Redis is not installed (redis-server; on Debian: apt-get install redis-server)'
    if (process.env['CI'] === 'true') throw new Error(skip)
    return { skip }
  }
  const folder = await mkdtemp(join(tmpdir(), 'pollux-redis-'))
  const port = await freePort()
  let server = await startServer(folder, port)
  const end = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return
    const exited = once(server, 'exit')
    server.kill('SIGKILL')
    await exited
  }
  const url = `redis://127.0.0.1:${port}`
  return {
    url,
    freeze: () => void server.kill('SIGSTOP'),
    thaw: () => void server.kill('SIGCONT'),
    async command(...words) {
      const client = await createClient({ url }).connect()
      try {
        return await client.sendCommand(words)
      } finally {
        client.destroy()
      }
    },
    async restart() {
      await end()
      server = await startServer(folder, port)
    },
    end,
    async stop() {
      await end()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function startServer(folder: string, port: number): Promise<ChildProcess> {
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const server = spawn('redis-server', [...settings, '--dir', folder], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const lines: string[] = []
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: server.stdout }).on('line', line => {
      lines.push(line)
      if (line.includes('Ready to accept connections')) resolve()
    })
    server.once('error', reject)
    server.once('exit', () => reject(new Error(`Redis did not start:\n${lines.join('\n')}`)))
  })
  // Nothing of a test that was ended by force stays behind.
  process.once('exit', () => server.kill('SIGKILL'))
  return server
}
