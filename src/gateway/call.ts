/** The words of the data plane: a call, the evidence each step hands to the next, and the ports it needs. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ApiError } from '../domain/error.ts'
import type { Key } from '../domain/key.ts'
import type { ApiVersion, Project } from '../domain/project.ts'
import type { ClientFacts, CompiledRestrictions } from '../domain/restriction.ts'
import type { UsedTool } from '../domain/tool.ts'
import type { UsageRecord } from '../domain/usage.ts'
import type { ByteBudget } from '../http/bytes.ts'
import type { RequestTarget } from '../http/target.ts'
import type { KeyDirectory } from './key-directory.ts'
import type { Method } from './methods.ts'
import type { OpenCalls } from './open-calls.ts'
import type { Upstream } from './upstream.ts'

/** One request to the data plane. */
export interface Call {
  /** The request id; also the id of its usage record. */
  readonly id: string
  readonly startTimeMs: number
  /** performance.now() at the start. */
  readonly startedMs: number
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly target: RequestTarget
  readonly client: ClientFacts
}

/** A known key that may be used now, with its rules compiled. */
export interface KeyEntry {
  readonly key: Key
  readonly project: Project
  readonly rules: CompiledRestrictions
  /** `projects/<number>`, as errors name the consumer. */
  readonly consumer: string
}

/** Evidence of identify: who calls. */
export interface Caller {
  readonly digest: string
  readonly entry: KeyEntry
}

/** Evidence of authorize: the key may make this call, with this body, from this client. */
export interface Grant extends Caller {
  readonly method: Method
  readonly apiVersion: ApiVersion
  /** The model after alias; empty where the method names none. */
  readonly model: string
  /** What is sent upstream: the caller's bytes, but for an alias inside them. */
  readonly body: Buffer
  readonly requestBytes: number
  readonly tools: ReadonlySet<UsedTool>
  readonly candidateCount: number
}

/** Evidence of admit: there is room for the call, and it will be settled exactly once. */
export interface Admission extends Grant {
  readonly hold: Hold
}

/** What was taken for a call and has to be given back. Money joins here. */
export interface Hold {
  settled: boolean
}

/** What the gateway needs from the rest of the program. */
export interface Gateway {
  readonly keys: KeyDirectory
  readonly upstream: Upstream
  readonly usage: UsageLog
  readonly bodies: ByteBudget
  readonly openCalls: OpenCalls
  readonly events: GatewayEvents
  readonly limits: GatewayLimits
}

/** Where usage records go. */
export interface UsageLog {
  /** Resolves when the record is durable; rejects with STORAGE_UNAVAILABLE when it could not be made so in time. */
  append(record: UsageRecord): Promise<void>
  /** False while records do not become durable: then no call is let in (MONEY.md rule 22). */
  isFlowing(): boolean
}

/** How the gateway finds a key by the SHA-256 of its keyString. */
export interface KeyFinder {
  findByDigest(digest: string): Promise<{ readonly key: Key; readonly project: Project } | null>
}

export interface GatewayLimits {
  /** Largest request body that is read and inspected. */
  readonly bodyBytesMax: number
  /** Largest unary reply that is held until its usage is durable. */
  readonly replyBytesMax: number
  /** How long the upstream is drained for its usage after the client left (MONEY.md rule 17). */
  readonly drainMs: number
}

/** One function per event worth counting or logging. None is ever given a key. */
export interface GatewayEvents {
  callRefused(error: ApiError, call: { readonly id: string }): void
  callSettled(record: UsageRecord): void
  upstreamCredentialRefused(detail: {
    readonly callId: string
    readonly httpStatus: number
    readonly reason: string
  }): void
  upstreamFailed(error: ApiError, call: { readonly id: string }): void
  /** A usage record could not be made durable in time: it is logged whole, so that nothing is lost silently. */
  usageNotDurable(record: UsageRecord, cause: unknown): void
}
