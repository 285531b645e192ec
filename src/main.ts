/** argv -> command. `start`, `check-config`, `backup` and `restore` run here, on the database itself; every other command is a client of a running Pollux. */
import { readFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { join } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { CliError } from './cli/errors.ts'
import { type CliIo, runCli } from './cli/run.ts'
import {
  type ClientConfig,
  type Config,
  ConfigError,
  processEnvironment,
  readClientConfig,
  readConfig,
  unknownVariables,
} from './config.ts'
import { dataFiles } from './data-dir.ts'
import type { App } from './app.ts'
import { ApiError } from './domain/error.ts'
import { NODES_MAX, nodeDirOf } from './nodes.ts'
import { startStorageThread } from './storage/storage-thread.ts'

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as {
  version: string
}

const STOPPING = 'pollux: stopping; calls under way may finish (press Ctrl-C again to cut them)\n'

const environment = processEnvironment()
const io: CliIo = {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  connection,
  colour: process.stdout.isTTY && environment['NO_COLOR'] === undefined && environment['TERM'] !== 'dumb',
  version,
  extraCommands,
}

// `pollux keys list | head` closes the pipe early: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})
process.exitCode = await runCli(process.argv.slice(2), io)

function extraCommands(program: Command): void {
  program
    .command('start')
    .description('start the gateway and its management API')
    .option('--nodes <count>', 'run so many processes behind one port (PostgreSQL only)', parseCount)
    .option('--demo', 'show a made-up month, in a folder of its own and with the sandbox only')
    .addOption(new Option('--node <number>', 'be this one of several').argParser(parseCount).hideHelp())
    .addHelpText(
      'after',
      '\nExamples:\n  $ pollux start\n  $ pollux start --demo\n  $ POLLUX_DATABASE_URL=postgres://… pollux start --nodes 4',
    )
    .action(({ nodes, node, demo = false }: { nodes?: number; node?: number; demo?: boolean }) =>
      failClearly(() => {
        if (node !== undefined) return startNode(node)
        if (nodes === undefined) return demo ? startDemo() : start()
        if (demo) throw new ConfigError(['--demo is one process: leave --nodes out'])
        return startAll(nodes)
      }),
    )
  program
    .command('check-config')
    .description('check the environment and print the configuration it makes')
    .addHelpText('after', '\nExample:\n  $ POLLUX_PORT=8080 pollux check-config')
    .action(() => failClearly(checkConfig))
  program
    .command('backup')
    .argument('<file>', 'a file that does not exist yet')
    .description('write the whole database to a file; Pollux may go on serving meanwhile')
    .option('--include-master-key', 'put the master key into the file, which then reveals every secret')
    .addHelpText('after', '\nExample:\n  $ pollux backup /backups/pollux-$(date +%F).gz')
    .action((file: string, flags: { readonly includeMasterKey?: boolean }) =>
      failClearly(() => backup(file, flags)),
    )
  program
    .command('restore')
    .argument('<file>', 'what `pollux backup` wrote')
    .description('fill an empty database from a backup, verified, or change nothing')
    .addHelpText(
      'after',
      '\nExample:\n  $ POLLUX_DATA_DIR=/srv/pollux-new pollux restore /backups/pollux-2026-11-21.gz',
    )
    .action((file: string) => failClearly(() => restore(file)))
}

async function backup(
  file: string,
  { includeMasterKey = false }: { readonly includeMasterKey?: boolean },
): Promise<void> {
  const { backUp } = await import('./backups.ts')
  process.stdout.write(await backUp(readConfig(environment), file, includeMasterKey))
}

async function restore(file: string): Promise<void> {
  const { restore } = await import('./backups.ts')
  const { text, isSound } = await restore(readConfig(environment), file)
  process.stdout.write(text)
  if (!isSound) process.exit(13)
}

/** Where the server is, and the token: POLLUX_TOKEN, else the token file that a server on this machine left. */
function connection(): { url: string; token: string } {
  const config = clientConfig()
  if (config.token !== null) return { url: config.url, token: config.token.reveal() }
  const { localTokenPath } = dataFiles(config.dataDir)
  try {
    return { url: config.url, token: readFileSync(localTokenPath, 'utf8').trim() }
  } catch {
    throw new Error(
      `No token: set POLLUX_TOKEN, or run the command as the user and on the machine of the server (it leaves one in ${localTokenPath}).`,
    )
  }
}

function clientConfig(): ClientConfig {
  try {
    return readClientConfig(environment)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new CliError(error.message, { exitCode: 2, reason: 'ENVIRONMENT_INVALID' })
  }
}

function parseCount(text: string): number {
  const count = Number(text)
  if (/^\d{1,2}$/.test(text) && count >= 1 && count <= NODES_MAX) return count
  throw new InvalidArgumentError(`It must be a number from 1 to ${NODES_MAX}.`)
}

function readServerConfig(): Config {
  const config = readConfig(environment)
  for (const name of unknownVariables(environment)) {
    process.stderr.write(`pollux: the variable ${name} is set, but nothing reads it\n`)
  }
  return config
}

async function start(): Promise<void> {
  const config = readServerConfig()
  const storageThread = startStorageThread()
  const { startApp } = await import('./app.ts')
  const { banner } = await import('./banner.ts')
  const app = await startApp(config, { version, storageThread })
  process.stdout.write(await banner({ app, config, version, isTerminal: process.stdout.isTTY }))
  await runUntilStopped(app)
}

async function startDemo(): Promise<void> {
  const { openDemo } = await import('./demo-start.ts')
  const demo = await openDemo(readServerConfig(), environment['POLLUX_DATA_DIR'])
  try {
    const { startApp } = await import('./app.ts')
    const { banner } = await import('./banner.ts')
    const app = await startApp(demo.config, { version, demo })
    const { config } = demo
    const isTerminal = process.stdout.isTTY
    process.stdout.write(await banner({ app, config, version, isTerminal, demoLines: demo.lines() }))
    await runUntilStopped(app)
  } finally {
    await demo.close()
  }
}

async function runUntilStopped(app: App): Promise<void> {
  // Now, not when it ends: whoever is killed starts again as fast. Once it is written this takes no time.
  flushCompileCache()
  await stopRequested()
  process.stderr.write(STOPPING)
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))
  await app.close()
}

/** The primary of several processes behind one port. */
async function startAll(count: number): Promise<void> {
  const config = readServerConfig()
  const { NodeFailed, startNodes } = await import('./nodes.ts')
  const warn = (line: string): void => void process.stderr.write(`pollux: ${line}\n`)
  const nodes = await startNodes(count, config, warn).catch((error: unknown) => {
    if (!(error instanceof NodeFailed)) throw error
    warn(error.message)
    process.exit(error.exitCode)
  })
  process.stdout.write(nodes.banner)
  process.stdout.write(`${count} nodes are running.\n`)
  await stopRequested()
  process.stderr.write(STOPPING)
  const cut = (exitCode: number): void => {
    nodes.kill()
    process.exit(exitCode)
  }
  process.once('SIGINT', () => cut(130)).once('SIGTERM', () => cut(143))
  await nodes.stop()
}

/** One of several processes: it does what the primary says. A terminal's Ctrl-C reaches it too, and is the primary's to hear. */
async function startNode(node: number): Promise<void> {
  process.on('SIGINT', () => {})
  const storageThread = startStorageThread()
  const { openNodeChannel } = await import('./node-channel.ts')
  const { startApp } = await import('./app.ts')
  const { banner } = await import('./banner.ts')
  let app: App | null = null
  const channel = openNodeChannel(async () => (await app?.telemetry.metrics()) ?? '')
  const shared = readConfig(environment)
  const config = { ...shared, nodeDir: nodeDirOf(shared.dataDir, node) }
  app = await startApp(config, { version, storageThread, metrics: () => channel.metricsOfAll() })
  channel.ready(await banner({ app, config, version, isTerminal: process.stdout.isTTY }))
  // After the others were told: the first time it takes half a second.
  flushCompileCache()
  const terminated = new Promise<void>(resolve => process.once('SIGTERM', resolve))
  await Promise.race([channel.stopped, terminated])
  await app.close()
  if (process.connected) process.disconnect()
}

/** Resolves at the first SIGINT or SIGTERM. */
function stopRequested(): Promise<void> {
  return new Promise(resolve => {
    const stop = (): void => {
      process.off('SIGINT', stop).off('SIGTERM', stop)
      resolve()
    }
    process.on('SIGINT', stop).on('SIGTERM', stop)
  })
}

function checkConfig(): void {
  const config = readConfig(environment)
  const rows = describeConfig(config)
  const width = Math.max(...rows.map(([name]) => name.length))
  for (const [name, value] of rows) process.stdout.write(`${name.padEnd(width)}  ${value}\n`)
  for (const name of unknownVariables(environment))
    process.stdout.write(`${name.padEnd(width)}  (nothing reads it)\n`)
}

/** The effective configuration by variable; secrets only say that they are set. */
function describeConfig(config: Config): [string, string][] {
  const { upstream, database, redisUrl } = config
  return [
    ['POLLUX_HOST', config.host],
    ['POLLUX_PORT', String(config.port)],
    ['POLLUX_ADMIN_PORT', config.adminPort === null ? '(the same port)' : String(config.adminPort)],
    ['POLLUX_PUBLIC_ORIGIN', config.publicOrigin ?? '(any host is answered)'],
    ['POLLUX_TRUSTED_PROXIES', config.trustedProxies.join(', ') || '(none: X-Forwarded-For is ignored)'],
    ['POLLUX_DATA_DIR', config.dataDir],
    [
      'POLLUX_DATABASE_URL',
      database.kind === 'sqlite' ? '(SQLite in the data folder)' : withoutPassword(database.url.reveal()),
    ],
    [
      'POLLUX_REDIS_URL',
      redisUrl === null ? '(none: each process counts rates itself)' : withoutPassword(redisUrl.reveal()),
    ],
    ['POLLUX_QUOTA_TIME_ZONE', config.quotaTimeZone],
    [
      'POLLUX_GEMINI_BASE_URL',
      upstream.kind === 'sandbox' ? '(sandbox: no GEMINI_API_KEY is set)' : upstream.baseUrl,
    ],
    ['GEMINI_API_KEY', upstream.kind === 'sandbox' ? '(not set)' : `(set, from ${upstream.credentialFrom})`],
    ['POLLUX_DRAIN_SECONDS', String(config.drainMs / 1_000)],
    ['POLLUX_ADMIN_TOKEN', config.adminToken === null ? '(not set)' : '(set)'],
    ['POLLUX_MASTER_KEY', config.masterKey === null ? '(in the data folder)' : '(set)'],
    ['POLLUX_AUDIT_FILE', config.auditFile ?? '(the database only)'],
    ['POLLUX_PRICES_FILE', config.pricesFile ?? '(none: the prices that ship)'],
    ['POLLUX_PLAIN_SIGN_IN', config.allowsPlainSignIn ? 'allow' : 'refuse'],
    ['POLLUX_OIDC_ISSUER', config.oidc?.issuer ?? '(not set: people sign in with passwords and passkeys)'],
    [
      'POLLUX_OIDC_ROLES',
      config.oidc?.rules
        .map(({ kind, value, role }) => `${kind === 'group' ? 'group:' : ''}${value}=${role}`)
        .join(', ') || '(none: only who was invited gets in)',
    ],
    ['POLLUX_OIDC_ONLY', String(config.oidc?.isOnlyWay ?? false)],
    ['POLLUX_LOG_LEVEL', config.logLevel],
  ]
}

function withoutPassword(url: string): string {
  const parsed = new URL(url)
  if (parsed.password !== '') parsed.password = '***'
  // libpq's other way to say one.
  for (const name of ['password', 'sslpassword'])
    if (parsed.searchParams.has(name)) parsed.searchParams.set(name, '***')
  return parsed.href
}

/** Problems that the reader can mend are told in words; anything else is a bug and keeps its stack. */
async function failClearly(run: () => Promise<void> | void): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof ApiError)) throw error
    process.stderr.write(`pollux: ${error.message}\n`)
    process.exit(error instanceof ConfigError ? 2 : 1)
  }
}
