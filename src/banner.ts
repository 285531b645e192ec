import type { App } from './app.ts'
import type { Config } from './config.ts'
import { dataFiles, writeSecretFile } from './data-dir.ts'
import { formatUsd } from './domain/money.ts'
import { FIRST_KEY_CAP_NANOS } from './first-start.ts'

/**
 * What a start prints. The first key is shown this once; where a real upstream costs money and standard output is no
 * terminal, and so most likely a log, it goes to a file of mode 0600 instead.
 */
export async function banner(start: {
  readonly app: App
  readonly config: Config
  readonly version: string
  readonly isTerminal: boolean
  /** Said first, where this is a demo. */
  readonly demoLines?: readonly string[]
}): Promise<string> {
  const { app, config } = start
  const lines = [
    `Pollux ${start.version} is listening on ${app.origin}`,
    ...(app.adminOrigin === app.origin ? [] : [`Management listens on ${app.adminOrigin}`]),
    '',
    `  upstream  ${upstreamLine(config)}`,
    `  database  ${config.database.kind === 'sqlite' ? 'SQLite' : 'PostgreSQL'}`,
    ...(isCountedApart(config) ? [`  rates     ${APART}`] : []),
    `  data      ${config.dataDir}`,
    `  console   ${app.adminOrigin}/`,
    `  API       ${app.adminOrigin}/pollux/v1/openapi.json (bearer token in ${dataFiles(config.dataDir).localTokenPath})`,
    '',
    ...(start.demoLines ?? []),
  ]
  const { firstKeyString, setUpLink, isWaiting } = app.firstStart
  if (firstKeyString === null) {
    if (isWaiting) lines.push(NOBODY_YET, '')
    return `${lines.join('\n')}\n`
  }
  const isPrinted = config.upstream.kind === 'sandbox' || start.isTerminal
  const { firstKeyPath } = dataFiles(config.dataDir)
  if (!isPrinted) await writeSecretFile(firstKeyPath, firstKeyString)
  lines.push(
    ...(isPrinted
      ? ['First key of the project default-project, shown this once:', '', `  ${firstKeyString}`]
      : [
          `First key of the project default-project: in ${firstKeyPath}, readable for you only. Move it to a secret manager.`,
        ]),
    '',
    ...(config.upstream.kind === 'sandbox' ? [] : [CAPPED, '']),
    'Try it:',
    '',
    `  ${curlLine(app, isPrinted ? `'x-goog-api-key: ${firstKeyString}'` : `"x-goog-api-key: $(cat '${firstKeyPath}')"`)}`,
    '',
  )
  if (setUpLink !== null && isPrinted) {
    lines.push('Make yourself the owner, by this link, once and within an hour:', '', `  ${setUpLink}`, '')
  } else if (isWaiting) {
    lines.push(NOBODY_YET, '')
  }
  if (app.firstStart.model === null) {
    lines.push(
      `The upstream could not be asked for its models: replace ${FALLBACK_MODEL} if it does not serve it.`,
      '',
    )
  }
  return `${lines.join('\n')}\n`
}

const APART =
  'counted by each node for itself: two let twice a limit through (set POLLUX_REDIS_URL to count together)'

/** Whether there may be other nodes, and none counts what they let through. */
function isCountedApart({ database, redisUrl }: Config): boolean {
  return database.kind === 'postgres' && redisUrl === null
}

const NOBODY_YET =
  'Nobody can sign in yet: `pollux setup-link`, on this machine, prints the link that makes the owner.'

const CAPPED =
  `It spends at most $${formatUsd(FIRST_KEY_CAP_NANOS)} a month; ` +
  '`pollux budgets set --project default-project --key first-key --cap …` changes that.'

const FALLBACK_MODEL = 'gemini-flash-latest'

function curlLine(app: App, header: string): string {
  const model = app.firstStart.model ?? FALLBACK_MODEL
  return (
    `curl -s '${app.origin}/v1beta/models/${model}:generateContent' -H ${header} ` +
    `-H 'content-type: application/json' -d '{"contents":[{"parts":[{"text":"Say hello"}]}]}'`
  )
}

function upstreamLine(config: Config): string {
  if (config.upstream.kind === 'sandbox') {
    return 'sandbox, an offline simulator (set GEMINI_API_KEY to forward to Google)'
  }
  const { baseUrl, credentialFrom } = config.upstream
  return `${baseUrl} with the credential of ${credentialFrom}, for every project (one upstream per Pollux for now)`
}
