/** A gateway for the suites that cut calls: the real data plane over a real database, before an upstream that is cut. */
import { randomUUID } from 'node:crypto'
import { systemEntry } from '../src/domain/audit.ts'
import { digestOf } from '../src/domain/digest.ts'
import type { Key } from '../src/domain/key.ts'
import { maskKeyString } from '../src/domain/keystring.ts'
import { DEFAULT_TIME_ZONE } from '../src/domain/period.ts'
import type { Gateway } from '../src/gateway/call.ts'
import { serve } from '../src/gateway/handle.ts'
import { KeyDirectory } from '../src/gateway/key-directory.ts'
import { Ledger } from '../src/gateway/ledger.ts'
import { OpenCalls } from '../src/gateway/open-calls.ts'
import { Upstream } from '../src/gateway/upstream.ts'
import { ByteBudget } from '../src/http/bytes.ts'
import { type Listener, startListener } from '../src/http/listener.ts'
import { loadModelLimits, loadPrices } from '../src/prices.ts'
import { MemoryQuota } from '../src/quota/memory.ts'
import type { Storage } from '../src/storage/storage.ts'
import { chunkedReply, wholeReply } from './cutting-upstream.ts'
import type { Form } from './traffic.ts'

function fail(error: unknown): never {
  throw error
}

/** A gateway whose every unexpected event fails the suite. */
export function cutGateway(
  storage: Storage,
  options: {
    readonly upstreamOrigin: string
    readonly credential: string
    readonly drainMs: number
    readonly onCredentialRefused?: (reason: string) => void
  },
): Gateway & { readonly upstream: Upstream } {
  const { upstreamOrigin: origin, credential, drainMs, onCredentialRefused = () => {} } = options
  return {
    keys: new KeyDirectory(storage.keys, storage),
    upstream: new Upstream({ origin, basePath: '', credential }),
    usage: storage.usage,
    ledger: new Ledger({
      port: storage.ledger,
      peers: storage.hasPeers ? storage.ledger : null,
      onFailure: fail,
    }),
    quota: new MemoryQuota(DEFAULT_TIME_ZONE),
    journal: storage.journal,
    prices: loadPrices(),
    modelLimits: loadModelLimits(),
    bodies: new ByteBudget(1024 * 1024),
    bodyLog: storage.bodies,
    openCalls: new OpenCalls(),
    intake: { check: () => {} },
    events: {
      callRefused: () => {},
      callLimited: () => {},
      capHit: () => {},
      callSettled: () => {},
      upstreamFailed: () => {},
      upstreamCredentialRefused: ({ reason }) => onCredentialRefused(reason),
      usageNotDurable: (_, cause) => fail(cause),
    },
    limits: { bodyBytesMax: 1024 * 1024, replyBytesMax: 1024 * 1024, drainMs },
  }
}

/** Listens for the gateway, and notes the request id of each call by its user-agent. */
export function listenFor(gateway: Gateway, callIds: Map<string, string>): Promise<Listener> {
  return startListener({
    host: '127.0.0.1',
    port: 0,
    trustedProxies: [],
    allowedHosts: null,
    isBehindTls: false,
    handle: exchange => {
      callIds.set(String(exchange.request.headers['user-agent']), exchange.requestId)
      void serve(exchange, gateway)
    },
    onError: fail,
  })
}

export const testAudit = (): ReturnType<typeof systemEntry> =>
  systemEntry({ methodName: 'test', resourceName: 'test', projectNumber: null })

/** An unrestricted key of a project of its own. */
export async function createKey(storage: Storage, keyString: string): Promise<Key> {
  const draft = { projectId: 'cuts-project', displayName: '', labels: {}, modelAliases: {} }
  const { number: projectNumber } = await storage.projects.create(draft, testAudit(), null)
  const unset = {
    annotations: {},
    restrictions: null,
    expireTimeMs: null,
    allowedModels: null,
    allowedTools: null,
  }
  const names = { uid: randomUUID(), keyId: 'cuts', displayName: '', environment: null }
  const secret = { digest: digestOf(keyString), maskedKeyString: maskKeyString(keyString) }
  return await storage.keys.create({ ...names, ...secret, ...unset, projectNumber }, testAudit(), null)
}

/** Two chunks of a reply in each form: as one body, as events, as a growing array. */
export function repliesOf(chunks: readonly string[]): {
  readonly bodies: Readonly<Record<Form, readonly string[]>>
  readonly replies: Readonly<Record<Form, Buffer>>
} {
  const bodies = {
    unary: [chunks[1] ?? ''],
    sse: chunks.map(json => `data: ${json}\r\n\r\n`),
    array: [`[${chunks[0]}`, `,\r\n${chunks[1]}`, ']'],
  }
  const replies = {
    unary: wholeReply(200, bodies.unary.join('')),
    sse: chunkedReply(bodies.sse, 'text/event-stream'),
    array: chunkedReply(bodies.array, 'application/json; charset=UTF-8'),
  }
  return { bodies, replies }
}
