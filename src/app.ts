/** The composition root: Config in, a running Pollux out. The only file that knows every module. */
import type { Worker } from 'node:worker_threads'
import { type Console, callOriginOf, openConsole } from './console.ts'
import { isConsolePath } from './contract/screens.ts'
import { createControl } from './control/server.ts'
import { startJobs } from './control/jobs.ts'
import { newLink } from './control/links.ts'
import type { SignInSettings } from './control/sign-in.ts'
import { type Config, masterKeysOf, proxyRanges } from './config.ts'
import { engineOf, prepareDataDir } from './data-dir.ts'
import type { Demo } from './demo-start.ts'
import { digestOf } from './domain/digest.ts'
import type { Tier } from './domain/quota.ts'
import type { Gateway } from './gateway/call.ts'
import { checkGrant } from './gateway/authorize.ts'
import { serve } from './gateway/handle.ts'
import { usableEntry } from './gateway/identify.ts'
import { Intake } from './gateway/intake.ts'
import { KeyDirectory, LEASE_MS } from './gateway/key-directory.ts'
import { isDataPlanePath } from './gateway/methods.ts'
import { OpenCalls } from './gateway/open-calls.ts'
import { Ledger } from './gateway/ledger.ts'
import { Upstream } from './gateway/upstream.ts'
import { type FirstStart, greet } from './first-start.ts'
import { answerHealth } from './health.ts'
import { ByteBudget } from './http/bytes.ts'
import { noteFacts } from './http/facts.ts'
import { type CapHitCounter, countCapHits } from './cap-hits.ts'
import { toApiError } from './http/render.ts'
import { type Exchange, type Listener, startListener } from './http/listener.ts'
import { watchPrices } from './price-watch.ts'
import { countingRefusals } from './refusal-watch.ts'
import { hostsOf, originsOf } from './origins.ts'
import { loadModelLimits, loadPrices } from './prices.ts'
import { type Quota, openQuota } from './quota/open.ts'
import { startSandbox } from './sandbox/server.ts'
import { openStorage } from './storage/open.ts'
import type { Change, Storage } from './storage/storage.ts'
import { tieredKeys } from './tiered-keys.ts'
import { stopServing } from './shutdown.ts'
import { loadTiers } from './tiers.ts'
import { type Telemetry, createTelemetry } from './telemetry.ts'

const MEBIBYTE = 1024 * 1024
const BODY_BYTES_MAX = 32 * MEBIBYTE
const REPLY_BYTES_MAX = 64 * MEBIBYTE
const BODIES_BYTES_MAX = 512 * MEBIBYTE
const UPSTREAM_DRAIN_MS = 60_000
/** Below the connections that the listener takes, so that some are left for management. */
const OPEN_CALLS_MAX = 12_288
/** How often keys of open calls are looked at for having expired. */
const EXPIRY_CHECK_MS = 500

/** A running Pollux. */
export interface App {
  /** Where calls are answered, and management unless it has a port of its own. */
  readonly origin: string
  readonly adminOrigin: string
  readonly firstStart: FirstStart
  readonly telemetry: Telemetry
  /** Lets calls finish, then closes everything. */
  close(): Promise<void>
}

export interface AppOptions {
  /** The program's, as clients are told it. */
  readonly version: string
  /** What `/metrics` shows, made of this process's own; without it that is all. */
  readonly metrics?: (own: () => Promise<string>) => Promise<string>
  /** The storage's, where it was started ahead. */
  readonly storageThread?: Worker
  /** What fills the storage first, where this is a demo. */
  readonly demo?: Pick<Demo, 'fill'>
}

/** Starts everything, innermost first. Rejects with ApiError; what was started by then is closed again. */
export async function startApp(config: Config, options: AppOptions): Promise<App> {
  const closers: (() => Promise<void> | void)[] = []
  const onClose = (closer: () => Promise<void> | void): void => void closers.unshift(closer)
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0)) await closer()
  }
  try {
    const telemetry = createTelemetry(config)
    const prices = loadPrices(config.pricesFile)
    const files = await prepareDataDir(config)
    const openCalls = new OpenCalls()
    const storage = await openStorage({
      engine: engineOf(config),
      dataDir: config.nodeDir,
      keyDir: config.dataDir,
      ...(config.redisUrl === null ? {} : { redisUrl: config.redisUrl.reveal() }),
      ...sealing(config),
      ...(options.storageThread === undefined ? {} : { thread: options.storageThread }),
      openCalls: () => openCalls.count,
      onFailure: error => telemetry.storageFailed(error),
      onBodiesDropped: calls => telemetry.bodiesDropped(calls),
    })
    onClose(() => storage.close())
    storage.ledger.onLost(() =>
      telemetry.log.error(
        'other nodes took this one for lost: it stood still, or could not reach the database',
      ),
    )
    const callOrigin = callOriginOf(config)
    const signIn = signInSettings(config)
    const { linkOrigin } = signIn
    await options.demo?.fill({
      storage,
      prices,
      newInvitation: userUid => newLink('invite', userUid, { origin: linkOrigin, nowMs: Date.now() }),
    })
    const upstream = await openUpstream(config, onClose)
    const quota = await openQuota({
      url: config.redisUrl?.reveal() ?? null,
      timeZone: config.quotaTimeZone,
      onOutage: error => telemetry.quotaStoreFailed(error),
      onUnenforced: () => telemetry.quotaUnenforced(),
    })
    onClose(() => quota.close())
    const tiers = loadTiers()
    onClose(await watchPrices(storage, prices, error => telemetry.pricesNotRead(error)))
    const intake = new Intake({
      openCalls: () => openCalls.count,
      openCallsMax: OPEN_CALLS_MAX,
      clockSkewMs: () => storage.clockSkewMs(),
      changesAgeMs: () => changesAgeMs(storage),
    })
    const capHits = countCapHits(storage.capHits, error => telemetry.storageFailed(toApiError(error)))
    onClose(() => capHits.close())
    const parts = { storage, upstream, telemetry, quota, tiers, openCalls, intake, prices, capHits }
    const gateway = createGateway(parts)
    onClose(() => gateway.ledger.close())
    onClose(() => intake.close())
    onClose(watchKeys(storage, gateway))
    const control = await createControl({
      storage,
      quota,
      tiers,
      prices,
      adminTokenDigest: config.adminToken === null ? null : digestOf(config.adminToken.reveal()),
      metrics: () => {
        const own = (): Promise<string> => telemetry.metrics()
        return options.metrics?.(own) ?? own()
      },
      server: {
        version: options.version,
        upstream: config.upstream.kind === 'sandbox' ? 'SANDBOX' : 'GEMINI',
        demo: options.demo !== undefined,
        callOrigin,
        degradedModes: () => telemetry.degradedModes(),
      },
      log: telemetry.log,
      origins: () => originsOf(config),
      signIn,
    })
    onClose(() => control.close())
    const browserConsole = await openConsole({
      callOrigin,
      onFailure: output => telemetry.log.error({ output }, 'the console could not be built'),
    })
    onClose(() => browserConsole.close())
    const jobs = startJobs({ storage, log: telemetry.log, now: Date.now })
    onClose(() => jobs.stop())
    const listeners = await openListeners({
      config,
      telemetry,
      gateway,
      intake,
      storage,
      control,
      console: browserConsole,
    })
    onClose(() => stopServing({ listeners, openCalls }, config.drainMs))
    // After the listeners: a start that fails on a port that is taken must not use up the one showing of the key.
    const firstStart = await greet({ storage, upstream, config, files, linkOrigin })
    const [main, admin] = listeners
    return { origin: main.origin, adminOrigin: (admin ?? main).origin, firstStart, telemetry, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Master keys and audit file, as far as the environment names them. */
function sealing(config: Config): Pick<Parameters<typeof openStorage>[0], 'masterKeys' | 'auditFile'> {
  const masterKeys = masterKeysOf(config)
  return {
    ...(masterKeys === null ? {} : { masterKeys }),
    ...(config.auditFile === null ? {} : { auditFile: config.auditFile }),
  }
}

async function openUpstream(
  config: Config,
  onClose: (closer: () => Promise<void>) => void,
): Promise<Upstream> {
  if (config.upstream.kind === 'gemini') {
    const { origin, pathname } = new URL(config.upstream.baseUrl)
    const basePath = pathname === '/' ? '' : pathname
    const upstream = new Upstream({ origin, basePath, credential: config.upstream.credential.reveal() })
    onClose(() => upstream.close())
    return upstream
  }
  const credential = `sandbox-${crypto.randomUUID()}`
  const sandbox = await startSandbox({ credential })
  onClose(() => sandbox.close())
  const upstream = new Upstream({ origin: sandbox.origin, basePath: '', credential })
  onClose(() => upstream.close())
  return upstream
}

interface Parts {
  readonly storage: Storage
  readonly upstream: Upstream
  readonly telemetry: Telemetry
  readonly quota: Quota
  readonly tiers: ReadonlyMap<string, Tier>
  readonly openCalls: OpenCalls
  readonly intake: Intake
  readonly prices: Gateway['prices']
  readonly capHits: CapHitCounter
}

function createGateway({
  storage,
  upstream,
  telemetry,
  quota,
  tiers,
  openCalls,
  intake,
  prices,
  capHits,
}: Parts): Gateway {
  const gateway: Gateway = {
    keys: new KeyDirectory(tieredKeys(storage.keys, tiers), storage),
    upstream,
    usage: storage.usage,
    ledger: new Ledger({
      port: storage.ledger,
      peers: storage.hasPeers ? storage.ledger : null,
      onFailure: error => telemetry.ledgerFailed(error),
    }),
    quota,
    journal: storage.journal,
    prices,
    modelLimits: loadModelLimits(),
    bodies: new ByteBudget(BODIES_BYTES_MAX),
    bodyLog: storage.bodies,
    openCalls,
    intake,
    events: capHits.counting(countingRefusals(telemetry.gateway, storage.refusals)),
    limits: {
      bodyBytesMax: BODY_BYTES_MAX,
      replyBytesMax: REPLY_BYTES_MAX,
      drainMs: UPSTREAM_DRAIN_MS,
    },
  }
  telemetry.watch({
    openCalls: () => gateway.openCalls.count,
    bodyBytes: () => gateway.bodies.bytesHeld,
    usageFlowing: () => gateway.usage.isFlowing(),
    changesAgeMs: () => changesAgeMs(storage),
    clockSkewMs: () => storage.clockSkewMs(),
    degraded: {
      push: () => !storage.isPushed(),
      changes: () => changesAgeMs(storage) > LEASE_MS,
      usage: () => !gateway.usage.isFlowing(),
      overload: () => intake.isOverloaded,
      quota: () => !quota.isEnforced,
      clock: () => intake.isClockWrong,
    },
  })
  return gateway
}

/** For how long the database has not said whether other nodes changed anything, ms. */
function changesAgeMs(storage: Storage): number {
  return performance.now() - storage.freshAsOfMs()
}

/** Carries changes of keys and projects to the directory and to calls under way. Returns the function that stops it. */
function watchKeys(storage: Storage, gateway: Gateway): () => void {
  const recheck = (concerns: Parameters<OpenCalls['recheck']>[0]): void => {
    void gateway.openCalls.recheck(concerns, async open => {
      const entry = await usableEntry(open.grant.caller.digest, gateway.keys)
      if (entry === open.entry) return
      checkGrant(entry, open.call, open.grant)
      open.entry = entry
    })
  }
  storage.onChange((change: Change) => {
    switch (change.kind) {
      case 'key':
        gateway.keys.forgetKey(change.keyUid)
        recheck(({ key }) => key.uid === change.keyUid)
        break
      case 'project':
        gateway.keys.forgetProject(change.projectNumber)
        recheck(({ project }) => project.number === change.projectNumber)
        break
      case 'prices':
        // watchPrices hears of it; open calls keep the price they were admitted at (MONEY.md rule 18).
        break
      case 'all':
        gateway.keys.forgetAll()
        recheck(() => true)
        break
    }
  })
  const expiry = setInterval(() => {
    const nowMs = Date.now()
    recheck(({ key }) => key.expireTimeMs !== null && key.expireTimeMs <= nowMs)
  }, EXPIRY_CHECK_MS)
  expiry.unref()
  return () => clearInterval(expiry)
}

interface Wired {
  readonly config: Config
  readonly telemetry: Telemetry
  readonly gateway: Gateway
  readonly intake: Intake
  readonly storage: Storage
  readonly control: Awaited<ReturnType<typeof createControl>>
  readonly console: Console
}

/** How people sign in, as the configuration has it. */
function signInSettings(config: Config): SignInSettings {
  const { publicOrigin, allowsPlainSignIn, oidc, host } = config
  // By name, not by address: browsers make passkeys for names only.
  const name = host.includes(':') ? `[${host}]` : host
  const isHere = ['127.0.0.1', '0.0.0.0', '[::1]', '[::]'].includes(name)
  return {
    publicOrigin,
    linkOrigin: publicOrigin ?? `http://${isHere ? 'localhost' : name}:${config.adminPort ?? config.port}`,
    allowsPlainSignIn,
    oidc: oidc === null ? null : { ...oidc, clientSecret: oidc.clientSecret.reveal() },
  }
}

/** One listener for everything, or one for calls and one for management. */
async function openListeners(wired: Wired): Promise<[Listener, ...Listener[]]> {
  const { config, telemetry } = wired
  const open = (port: number, handle: (exchange: Exchange) => void): Promise<Listener> =>
    startListener({
      host: config.host,
      port,
      trustedProxies: proxyRanges(config),
      allowedHosts: config.publicOrigin === null ? null : hostsOf(config.publicOrigin, port),
      isBehindTls: config.publicOrigin?.startsWith('https:') === true,
      handle,
      onError: (error, requestId) => telemetry.requestFailed(error, requestId),
    })
  const data = (exchange: Exchange): void => void serve(exchange, wired.gateway)
  const control = (exchange: Exchange): void => {
    noteFacts(exchange.request, exchange)
    wired.control.handle(exchange.request, exchange.response)
  }
  const health = (exchange: Exchange): void => void answerHealth(exchange, wired)
  const manage = (exchange: Exchange): void => {
    if (isConsolePath(exchange.target.path)) wired.console.answer(exchange)
    else control(exchange)
  }
  const isHealth = ({ target: { path } }: Exchange): boolean => path === '/healthz' || path === '/readyz'
  const orHealth = (answer: (exchange: Exchange) => void) => (exchange: Exchange) =>
    (isHealth(exchange) ? health : answer)(exchange)
  const everything = orHealth(exchange => (isDataPlanePath(exchange.target.path) ? data : manage)(exchange))
  if (config.adminPort === null) return [await open(config.port, everything)]
  const main = await open(config.port, orHealth(data))
  try {
    return [main, await open(config.adminPort, orHealth(manage))]
  } catch (error) {
    main.cut()
    await main.close()
    throw error
  }
}
