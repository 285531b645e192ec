/** What a fresh Pollux needs before its first call: a project, a key, a token for the CLI on this machine. */
import type { Config } from './config.ts'
import { newLink } from './control/links.ts'
import { type DataFiles, readSecretFile, writeSecretFile } from './data-dir.ts'
import { systemEntry } from './domain/audit.ts'
import { digestOf } from './domain/digest.ts'
import { ApiError } from './domain/error.ts'
import { isKeyString, maskKeyString, mintKeyString } from './domain/keystring.ts'
import { DEFAULT_MODEL_ALIASES, DEFAULT_PROJECT_ID, ORGANIZATION, type Project } from './domain/project.ts'
import type { Upstream } from './gateway/upstream.ts'
import type { Storage } from './storage/storage.ts'

export interface FirstStart {
  /** The first key of the default project; null at every later start: it is shown this once. */
  readonly firstKeyString: string | null
  /** For the first owner, of one use; null where somebody is set up already, or people sign in elsewhere only. */
  readonly setUpLink: string | null
  /** Whether nobody has set this Pollux up yet. */
  readonly isWaiting: boolean
  /** A model that the upstream serves, for the line to paste; null when it could not be asked. */
  readonly model: string | null
}

interface Greeting {
  readonly storage: Storage
  readonly upstream: Upstream
  readonly config: Config
  readonly files: DataFiles
  /** Where links lead. */
  readonly linkOrigin: string
}

/** Makes what is missing. At a later start it finds everything and changes nothing. */
export async function greet(greeting: Greeting): Promise<FirstStart> {
  const { storage, upstream, config, files } = greeting
  await ensureLocalToken(storage, files)
  const isFresh = (await storage.projects.find(DEFAULT_PROJECT_ID)) === null
  const isWaiting = config.oidc?.isOnlyWay !== true && !(await storage.users.hasAny())
  const later = { firstKeyString: null, setUpLink: null, isWaiting, model: null }
  if (!isFresh) return later
  const project = await createDefaultProject(storage)
  if (project === null) return later
  const isSandbox = config.upstream.kind === 'sandbox'
  const firstKeyString = await createFirstKey(storage, project, isSandbox ? null : FIRST_KEY_CAP_NANOS)
  const model = isSandbox ? SANDBOX_MODEL : await listedModel(upstream)
  const setUpLink = isWaiting ? await issueSetUpLink(greeting) : null
  return { firstKeyString, setUpLink, isWaiting, model }
}

async function issueSetUpLink({ storage, linkOrigin }: Greeting): Promise<string> {
  const { draft, link } = newLink('setUp', null, { origin: linkOrigin, nowMs: Date.now() })
  const methodName = 'pollux.v1.SetUpLinks.IssueSetUpLink'
  await storage.links.issue(
    draft,
    systemEntry({ methodName, resourceName: ORGANIZATION, projectNumber: null }),
  )
  return link
}

const SANDBOX_MODEL = 'gemini-3.8-flash'

/** Null when another node of the same database made it first: that one shows the key. */
async function createDefaultProject(storage: Storage): Promise<Project | null> {
  const draft = {
    projectId: DEFAULT_PROJECT_ID,
    displayName: 'Default project',
    labels: {},
    modelAliases: DEFAULT_MODEL_ALIASES,
  }
  const methodName = 'google.cloud.resourcemanager.v3.Projects.CreateProject'
  const audit = systemEntry({
    methodName,
    resourceName: `projects/${DEFAULT_PROJECT_ID}`,
    projectNumber: null,
  })
  try {
    return await storage.projects.create(draft, audit, null)
  } catch (error) {
    if (error instanceof ApiError && error.reason === 'ALREADY_EXISTS') return null
    throw error
  }
}

/** What the first key may cost a month where calls cost money: it is not restricted otherwise (DESIGN.md section 4). */
export const FIRST_KEY_CAP_NANOS = 10_000_000_000

async function createFirstKey(storage: Storage, project: Project, capNanos: number | null): Promise<string> {
  const keyString = mintKeyString('key')
  const draft = {
    uid: crypto.randomUUID(),
    keyId: 'first-key',
    digest: digestOf(keyString),
    keyString,
    maskedKeyString: maskKeyString(keyString),
    projectNumber: project.number,
    displayName: 'First key',
    annotations: {},
    restrictions: null,
    expireTimeMs: null,
    allowedModels: null,
    allowedTools: null,
    environment: 'development',
  } as const
  const resourceName = `projects/${project.number}/locations/global/keys/first-key`
  const methodName = 'google.api.apikeys.v2.ApiKeys.CreateKey'
  await storage.keys.create(
    draft,
    systemEntry({ methodName, resourceName, projectNumber: project.number }),
    null,
  )
  if (capNanos !== null) await capKey(storage, { project, lineage: draft.uid, resourceName, capNanos })
  return keyString
}

interface FirstCap {
  readonly project: Project
  readonly lineage: string
  /** Of the key. */
  readonly resourceName: string
  readonly capNanos: number
}

async function capKey(
  storage: Storage,
  { project, lineage, resourceName, capNanos }: FirstCap,
): Promise<void> {
  const draft = {
    scope: 'key',
    projectNumber: project.number,
    lineage,
    period: 'month',
    capNanos,
    policy: 'clamp',
    defaultMaxOutputTokens: null,
    toolCeilingsNanos: {},
  } as const
  const audit = systemEntry({
    methodName: 'pollux.v1.Budgets.CreateKeyBudget',
    resourceName: `${resourceName}/budgets/month`,
    projectNumber: project.number,
  })
  await storage.budgets.create(draft, audit)
}

/** The token file outlives a database, and a database a token file: whichever is missing is made again. */
async function ensureLocalToken(storage: Storage, files: DataFiles): Promise<void> {
  const present = await readSecretFile(files.localTokenPath)
  if (present !== null && isKeyString(present, 'token')) {
    if ((await storage.tokens.findByDigest(digestOf(present))) !== null) return
  }
  const token = mintKeyString('token')
  const name = `tokens/local-${digestOf(files.localTokenPath).slice(0, 8)}`
  const audit = systemEntry({
    methodName: 'pollux.v1.Tokens.PutToken',
    resourceName: name,
    projectNumber: null,
  })
  await storage.tokens.put({ name, digest: digestOf(token), role: 'owner' }, audit)
  await writeSecretFile(files.localTokenPath, token)
}

/** Models to show a newcomer first: current, fast and cheap. */
const PREFERRED = /^models\/gemini-[\d.]+-flash(-lite)?$/
const MODEL_LIST_WAIT_MS = 5_000
const MODEL_LIST_BYTES_MAX = 8 * 1024 * 1024

/** A model that the upstream lists and that generates content; null when it cannot be asked now. */
async function listedModel(upstream: Upstream): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined
  const patience = {
    started: (exchange: { abort(cause: Error): void }): void => {
      timer = setTimeout(
        () => exchange.abort(new Error('the list of models took too long')),
        MODEL_LIST_WAIT_MS,
      )
    },
  }
  try {
    const request = {
      httpMethod: 'GET',
      path: '/v1beta/models?pageSize=1000',
      fields: '',
      body: Buffer.alloc(0),
    } as const
    const { body } = await upstream.fetch(request, patience, MODEL_LIST_BYTES_MAX)
    const { models } = JSON.parse(body.toString('utf8')) as ModelList
    const names = (models ?? [])
      .filter(model => model.supportedGenerationMethods?.includes('generateContent'))
      .map(({ name }) => name)
    const chosen =
      names
        .filter(name => PREFERRED.test(name))
        .sort()
        .at(-1) ?? names[0]
    return chosen?.replace(/^models\//, '') ?? null
  } catch {
    // The first start must not fail because the upstream is away; the line to paste says what to fill in.
    return null
  } finally {
    clearTimeout(timer)
  }
}

interface ModelList {
  readonly models?: readonly {
    readonly name: string
    readonly supportedGenerationMethods?: readonly string[]
  }[]
}
