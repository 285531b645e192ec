/** The only reader of the environment: text in, one typed Config out, all problems at once. */
import { inspect } from 'node:util'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type Cidr, parseCidr } from './domain/address.ts'
import { DEFAULT_TIME_ZONE } from './domain/period.ts'
import { isMasterKey } from './secrets/master-key.ts'
import { type IdentityRule, parseIdentityRule } from './domain/identity-roles.ts'

/** A value that does not print. `reveal()` is the only way to its text. */
class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  reveal(): string {
    return this.#text
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}

export interface Config {
  readonly host: string
  readonly port: number
  /** Set: the management plane listens on its own port, and the other one serves calls only. */
  readonly adminPort: number | null
  /** Set: only requests for this host are answered. */
  readonly publicOrigin: string | null
  readonly trustedProxies: readonly string[]
  readonly dataDir: string
  /** What one process has for itself (lock, journal): the data folder, unless several run on this machine. */
  readonly nodeDir: string
  readonly database: { readonly kind: 'sqlite' } | { readonly kind: 'postgres'; readonly url: Secret }
  /** Where several processes share rate counters and tell each other of changes; null: each counts for itself. */
  readonly redisUrl: Secret | null
  /** An IANA name: quotas per day reset at its midnight. */
  readonly quotaTimeZone: string
  readonly upstream: UpstreamConfig
  /** For how long a process that is told to stop lets calls finish. */
  readonly drainMs: number
  readonly adminToken: Secret | null
  /** One or several in a comma list, the one that seals first. Null: in the data folder, made there at the first start. */
  readonly masterKey: Secret | null
  /** Where audit entries go as JSON lines, beside the database. */
  readonly auditFile: string | null
  /** Prices that go before those we ship; null: none. */
  readonly pricesFile: string | null
  /** Whether people may sign in over plain HTTP from another machine. */
  readonly allowsPlainSignIn: boolean
  readonly oidc: OidcConfig | null
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

/** The OpenID Connect issuer at which people sign in. */
export interface OidcConfig {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: Secret
  readonly rules: readonly IdentityRule[]
  /** No passwords and no passkeys. */
  readonly isOnlyWay: boolean
}

export type UpstreamConfig =
  | { readonly kind: 'sandbox' }
  | {
      readonly kind: 'gemini'
      readonly baseUrl: string
      readonly credential: Secret
      /** The variable it came from. */
      readonly credentialFrom: string
    }

/** Where the CLI finds a server, and how it authenticates there. */
export interface ClientConfig {
  readonly url: string
  /** From POLLUX_TOKEN; null: the local token file of the data folder. */
  readonly token: Secret | null
  readonly dataDir: string
}

/** Every problem of the environment at once, a line each, by the name of its variable. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(['The environment has problems:', ...problems.map(problem => `  ${problem}`)].join('\n'))
    this.problems = problems
  }
}

export type Environment = Readonly<Record<string, string | undefined>>

const PACKAGE_ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const GOOGLE_BASE_URL = 'https://generativelanguage.googleapis.com'
const DEFAULT_PORT = 8700
const DEFAULT_HOST = '127.0.0.1'
const ADMIN_TOKEN_LENGTH_MIN = 32
/** Calls that think take a minute or two. */
const DRAIN_SECONDS_DEFAULT = 120
const DRAIN_SECONDS_MAX = 3_600

const text = z.string().trim().min(1, 'is set but empty')
/** It travels in a header, and is looked for in replies: so it must look the same in both. */
const credentialText = text.refine(
  value => /^[!#-[\]-~]+$/.test(value),
  'must be one word of printable ASCII without quotation marks and backslashes',
)
const portNumber = text.refine(
  value => /^\d{1,5}$/.test(value) && Number(value) <= 65_535,
  'must be a port number from 0 to 65535',
)
const url = (protocols: readonly string[]) =>
  text.refine(
    value => URL.canParse(value) && protocols.includes(new URL(value).protocol),
    `must be a URL that starts with ${protocols.map(protocol => `${protocol}//`).join(' or ')}`,
  )

const VARIABLES = {
  POLLUX_HOST: text,
  POLLUX_PORT: portNumber,
  POLLUX_ADMIN_PORT: portNumber,
  POLLUX_PUBLIC_ORIGIN: url(['http:', 'https:']),
  POLLUX_TRUSTED_PROXIES: text.refine(
    value => splitList(value).every(entry => parseCidr(entry) !== null),
    'must be a comma list of addresses and CIDR ranges',
  ),
  POLLUX_DATA_DIR: text,
  POLLUX_DATABASE_URL: url(['postgres:', 'postgresql:']),
  POLLUX_REDIS_URL: url(['redis:', 'rediss:']),
  POLLUX_QUOTA_TIME_ZONE: text.refine(isTimeZone, 'must be an IANA name such as America/Los_Angeles'),
  POLLUX_GEMINI_BASE_URL: url(['http:', 'https:']).refine(
    isBareAddress,
    'must be an address without user, password, query or fragment: the credential goes into GEMINI_API_KEY',
  ),
  POLLUX_DRAIN_SECONDS: text.refine(
    value => /^\d{1,4}$/.test(value) && Number(value) <= DRAIN_SECONDS_MAX,
    `must be a number of seconds from 0 to ${DRAIN_SECONDS_MAX}`,
  ),
  POLLUX_ADMIN_TOKEN: text.min(
    ADMIN_TOKEN_LENGTH_MIN,
    `must have at least ${ADMIN_TOKEN_LENGTH_MIN} characters`,
  ),
  POLLUX_MASTER_KEY: text.refine(
    value => splitList(value).every(isMasterKey) && splitList(value).length > 0,
    'must be 32 bytes in base64, as `openssl rand -base64 32` makes them, or several such keys with commas between them',
  ),
  POLLUX_AUDIT_FILE: text,
  POLLUX_PRICES_FILE: text,
  POLLUX_PLAIN_SIGN_IN: z.enum(['refuse', 'allow'], 'must be refuse or allow'),
  POLLUX_OIDC_ISSUER: url(['http:', 'https:']).refine(
    isSafeIssuer,
    'must be an https address (http on this machine only) without query',
  ),
  POLLUX_OIDC_CLIENT_ID: text,
  POLLUX_OIDC_CLIENT_SECRET: text,
  POLLUX_OIDC_ROLES: text.refine(
    value => splitList(value).every(entry => parseIdentityRule(entry) !== null),
    'must be a comma list of DOMAIN=roles/NAME and group:NAME=roles/NAME',
  ),
  POLLUX_OIDC_ONLY: z.enum(['true', 'false'], 'must be true or false'),
  POLLUX_LOG_LEVEL: z.enum(
    ['debug', 'info', 'warn', 'error', 'silent'],
    'must be debug, info, warn, error or silent',
  ),
  GEMINI_API_KEY: credentialText,
  GOOGLE_API_KEY: credentialText,
} as const

const CLIENT_VARIABLES = { POLLUX_URL: url(['http:', 'https:']), POLLUX_TOKEN: text } as const

/** Reads the server's configuration. Throws ConfigError. */
export function readConfig(environment: Environment): Config {
  const { values, problems } = readVariables(environment, VARIABLES)
  const credentialFrom = values.GOOGLE_API_KEY === undefined ? 'GEMINI_API_KEY' : 'GOOGLE_API_KEY'
  const credential = values.GOOGLE_API_KEY ?? values.GEMINI_API_KEY
  if (credential === undefined && values.POLLUX_GEMINI_BASE_URL !== undefined) {
    problems.push(
      'POLLUX_GEMINI_BASE_URL is set without GEMINI_API_KEY or GOOGLE_API_KEY to authenticate there',
    )
  }
  if (credential?.startsWith('plx_') === true && values.POLLUX_GEMINI_BASE_URL === undefined) {
    problems.push(
      `${credentialFrom} holds a key of Pollux, which Google does not know: unset it in this shell, ` +
        'or set POLLUX_GEMINI_BASE_URL to the Pollux it belongs to',
    )
  }
  const oidc = oidcConfig(values, problems)
  if (problems.length > 0) throw new ConfigError(problems)
  return {
    host: values.POLLUX_HOST ?? DEFAULT_HOST,
    port: Number(values.POLLUX_PORT ?? DEFAULT_PORT),
    adminPort: values.POLLUX_ADMIN_PORT === undefined ? null : Number(values.POLLUX_ADMIN_PORT),
    publicOrigin:
      values.POLLUX_PUBLIC_ORIGIN === undefined ? null : new URL(values.POLLUX_PUBLIC_ORIGIN).origin,
    trustedProxies: splitList(values.POLLUX_TRUSTED_PROXIES ?? ''),
    dataDir: dataDirOf(values.POLLUX_DATA_DIR),
    nodeDir: dataDirOf(values.POLLUX_DATA_DIR),
    database:
      values.POLLUX_DATABASE_URL === undefined
        ? { kind: 'sqlite' }
        : { kind: 'postgres', url: new Secret(values.POLLUX_DATABASE_URL) },
    redisUrl: values.POLLUX_REDIS_URL === undefined ? null : new Secret(values.POLLUX_REDIS_URL),
    quotaTimeZone: values.POLLUX_QUOTA_TIME_ZONE ?? DEFAULT_TIME_ZONE,
    upstream:
      credential === undefined
        ? { kind: 'sandbox' }
        : {
            kind: 'gemini',
            baseUrl: (values.POLLUX_GEMINI_BASE_URL ?? GOOGLE_BASE_URL).replace(/\/+$/, ''),
            credential: new Secret(credential),
            credentialFrom,
          },
    drainMs: Number(values.POLLUX_DRAIN_SECONDS ?? DRAIN_SECONDS_DEFAULT) * 1_000,
    adminToken: values.POLLUX_ADMIN_TOKEN === undefined ? null : new Secret(values.POLLUX_ADMIN_TOKEN),
    masterKey: values.POLLUX_MASTER_KEY === undefined ? null : new Secret(values.POLLUX_MASTER_KEY),
    auditFile: values.POLLUX_AUDIT_FILE ?? null,
    pricesFile: values.POLLUX_PRICES_FILE ?? null,
    allowsPlainSignIn: values.POLLUX_PLAIN_SIGN_IN === 'allow',
    oidc,
    logLevel: values.POLLUX_LOG_LEVEL ?? 'info',
  }
}

const OIDC_VARIABLES = [
  'POLLUX_OIDC_ISSUER',
  'POLLUX_OIDC_CLIENT_ID',
  'POLLUX_OIDC_CLIENT_SECRET',
  'POLLUX_OIDC_ROLES',
  'POLLUX_OIDC_ONLY',
] as const

/** Null when none of the variables is set; what is missing beside those that are is a problem. */
function oidcConfig(
  values: { readonly [Name in (typeof OIDC_VARIABLES)[number]]?: string },
  problems: string[],
): OidcConfig | null {
  const given = OIDC_VARIABLES.find(name => values[name] !== undefined)
  if (given === undefined) return null
  const { POLLUX_OIDC_ISSUER: issuer, POLLUX_OIDC_CLIENT_ID: clientId } = values
  const { POLLUX_OIDC_CLIENT_SECRET: secret } = values
  if (issuer === undefined || clientId === undefined || secret === undefined) {
    problems.push(
      `${given} is set, but signing in at an issuer takes POLLUX_OIDC_ISSUER, POLLUX_OIDC_CLIENT_ID and POLLUX_OIDC_CLIENT_SECRET`,
    )
    return null
  }
  return {
    issuer,
    clientId,
    clientSecret: new Secret(secret),
    rules: splitList(values.POLLUX_OIDC_ROLES ?? '')
      .map(parseIdentityRule)
      .filter(rule => rule !== null),
    isOnlyWay: values.POLLUX_OIDC_ONLY === 'true',
  }
}

/** Reads what the CLI needs. Throws ConfigError. */
export function readClientConfig(environment: Environment): ClientConfig {
  const { POLLUX_DATA_DIR, POLLUX_HOST, POLLUX_PORT, POLLUX_ADMIN_PORT } = VARIABLES
  const { values, problems } = readVariables(environment, {
    ...CLIENT_VARIABLES,
    POLLUX_DATA_DIR,
    POLLUX_HOST,
    POLLUX_PORT,
    POLLUX_ADMIN_PORT,
  })
  if (problems.length > 0) throw new ConfigError(problems)
  const port = values.POLLUX_ADMIN_PORT ?? values.POLLUX_PORT ?? DEFAULT_PORT
  const here = `http://${values.POLLUX_HOST ?? DEFAULT_HOST}:${port}`
  return {
    url: (values.POLLUX_URL ?? here).replace(/\/+$/, ''),
    token: values.POLLUX_TOKEN === undefined ? null : new Secret(values.POLLUX_TOKEN),
    dataDir: dataDirOf(values.POLLUX_DATA_DIR),
  }
}

/** POLLUX_ variables that nothing reads: most often a slip of the pen. */
export function unknownVariables(environment: Environment): readonly string[] {
  const known = new Set([...Object.keys(VARIABLES), ...Object.keys(CLIENT_VARIABLES)])
  return Object.keys(environment).filter(name => name.startsWith('POLLUX_') && !known.has(name))
}

/** The address ranges of proxies whose X-Forwarded-For is believed. */
export function proxyRanges(config: Config): readonly Cidr[] {
  return config.trustedProxies.map(parseCidr).filter(range => range !== null)
}

/** The master keys of the environment, the one that seals first; null: those of the data folder. */
export function masterKeysOf({ masterKey }: Pick<Config, 'masterKey'>): readonly string[] | null {
  return masterKey === null ? null : splitList(masterKey.reveal())
}

/** The environment of this process. */
export function processEnvironment(): Environment {
  return process.env
}

function readVariables<Schemas extends Readonly<Record<string, z.ZodType<string>>>>(
  environment: Environment,
  schemas: Schemas,
): { values: { [Name in keyof Schemas]?: z.infer<Schemas[Name]> }; problems: string[] } {
  const values: Record<string, string> = {}
  const problems: string[] = []
  for (const [name, schema] of Object.entries(schemas)) {
    const given = environment[name]
    if (given === undefined) continue
    const parsed = schema.safeParse(given)
    if (parsed.success) values[name] = parsed.data
    else problems.push(`${name} ${parsed.error.issues.map(issue => issue.message).join('; ')}`)
  }
  return { values: values as { [Name in keyof Schemas]?: z.infer<Schemas[Name]> }, problems }
}

function dataDirOf(given: string | undefined): string {
  return given ?? join(PACKAGE_ROOT, 'data')
}

function splitList(value: string): string[] {
  return value
    .split(',')
    .map(entry => entry.trim())
    .filter(entry => entry !== '')
}

function isBareAddress(value: string): boolean {
  if (!URL.canParse(value)) return true
  const { username, password, search, hash } = new URL(value)
  return `${username}${password}${search}${hash}` === ''
}

function isTimeZone(value: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: value }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

/** Tokens of people come from there: nobody in between may write them. */
function isSafeIssuer(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, hostname, search, hash } = new URL(value)
  const isHere = hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]'
  return (protocol === 'https:' || isHere) && search === '' && hash === ''
}
