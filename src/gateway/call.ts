/** The words of the data plane: a call, the evidence each step hands to the next, and the ports it needs. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Budget } from '../domain/budget.ts'
import type { CallBodies } from '../domain/call-bodies.ts'
import type { CapHitReason } from '../domain/cap-hit.ts'
import type { ApiError } from '../domain/error.ts'
import type { Key } from '../domain/key.ts'
import type { Charge, OpenHold } from '../domain/ledger.ts'
import type { ModelLimits } from '../domain/model-limits.ts'
import type { PriceList } from '../domain/price-list.ts'
import type { Price } from '../domain/price.ts'
import type { QuotaAllocation, QuotaGrant, QuotaRules } from '../domain/quota.ts'
import type { ApiVersion, Project } from '../domain/project.ts'
import type { RefusedCall } from '../domain/refused-call.ts'
import type { ClientFacts, CompiledRestrictions } from '../domain/restriction.ts'
import type { UsedTool } from '../domain/tool.ts'
import type { UsageRecord } from '../domain/usage.ts'
import type { ByteBudget } from '../http/bytes.ts'
import type { RequestTarget } from '../http/target.ts'
import type { Demand } from './demand.ts'
import type { KeyDirectory } from './key-directory.ts'
import type { Intake } from './intake.ts'
import type { HeldMoney, Ledger } from './ledger.ts'
import type { Method, Route } from './methods.ts'
import type { OpenCalls } from './open-calls.ts'
import type { QuotaStore } from './quota.ts'
import type { Upstream } from './upstream.ts'

/** One request to the data plane. */
export interface Call {
  /** The request id; also the id of its usage record. */
  readonly id: string
  readonly startTimeMs: number
  /** performance.now() at the start. */
  readonly startedMs: number
  /** performance.now() when its key was known and its body read; the start until then. */
  receivedAtMs: number
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly target: RequestTarget
  readonly client: ClientFacts
}

/** A known key that may be used now, with its rules compiled. */
export interface KeyEntry {
  readonly key: Key
  readonly project: Project
  /** Every budget in force on its path (MONEY.md rule 2). */
  readonly budgets: readonly Budget[]
  readonly rules: CompiledRestrictions
  /** What its project's tier allows; null: everything. */
  readonly tierRules: CompiledRestrictions | null
  /** What its project is charged, in ten-thousandths of the price (`chargedNanos`). */
  readonly priceBasisPoints: number
  /** The rate limits of its calls; null: none, and nothing is counted. */
  readonly quotas: QuotaRules | null
  /** Whether its project keeps the bodies of calls. */
  readonly keepsBodies: boolean
  /** `projects/<number>`, as errors name the consumer. */
  readonly consumer: string
  /** What the key was found to allow so far: an entry never changes, a changed key gets a new one. */
  readonly permitted: Map<Route, Permitted>
}

/** A method and model that a key may call, and where they are upstream. */
export interface Permitted {
  readonly method: Method
  readonly apiVersion: ApiVersion
  /** The model after alias; empty where the method names none. */
  readonly model: string
  /** The path upstream, built anew from what was authorized: nothing of the caller's own text. */
  readonly upstreamPath: string
}

/** Evidence of identify: who calls. */
export interface Caller {
  readonly digest: string
  readonly entry: KeyEntry
  /** Of the key directory, when the entry was found. */
  readonly version: number
}

/** Evidence of the first half of authorize: this client may call this method and model. The body is still to come. */
export interface Access {
  readonly caller: Caller
  readonly route: Route
  readonly permitted: Permitted
}

/** Evidence of authorize: the key may make this call, with this body, from this client. */
export interface Grant {
  readonly caller: Caller
  readonly method: Method
  readonly apiVersion: ApiVersion
  /** The model after alias; empty where the method names none. */
  readonly model: string
  readonly upstreamPath: string
  /** What is sent upstream: the caller's bytes, but for an alias inside them. */
  readonly body: Buffer
  readonly requestBytes: number
  readonly tools: ReadonlySet<UsedTool>
  readonly demand: Demand
}

/** Evidence of admit: there is room for the call, and it will be settled exactly once. */
export interface Admission {
  readonly grant: Grant
  readonly hold: Hold
  /** What is sent upstream: the body of the grant, with its output limit lowered where that was needed. */
  readonly body: Buffer
}

/** What was taken for a call and has to be given back. */
export interface Hold {
  settled: boolean
  /** The price in force when the call was admitted; null: none is known. */
  readonly price: Price | null
  /** The factor of its project's tier then. */
  readonly priceBasisPoints: number
  /** Null where no budget is in force, or nothing is billed. */
  readonly money: HeldMoney | null
  /** What it took of its rate limits; null: nothing is counted. */
  quota: QuotaAllocation | null
}

/** What the gateway needs from the rest of the program. */
export interface Gateway {
  readonly keys: KeyDirectory
  readonly upstream: Upstream
  readonly usage: UsageLog
  readonly ledger: Ledger
  readonly quota: QuotaStore
  readonly journal: HoldJournal
  readonly prices: Pick<PriceList, 'find'>
  readonly modelLimits: Pick<ModelLimits, 'find'>
  readonly bodies: ByteBudget
  readonly bodyLog: BodyLog
  readonly intake: Pick<Intake, 'check'>
  readonly openCalls: OpenCalls
  readonly events: GatewayEvents
  readonly limits: GatewayLimits
}

/** Where usage records go. */
export interface UsageLog {
  /**
   * Resolves when the record and what it takes from the allotments are durable, in one transaction. Rejects with
   * STORAGE_UNAVAILABLE when that takes too long for a reply to wait: the record is kept and made durable later.
   */
  append(record: UsageRecord, charges: readonly Charge[], onDurable: () => void): Promise<void>
  /** False while records do not become durable: then no call is let in (MONEY.md rule 22). */
  isFlowing(): boolean
}

/** Where bodies of calls go whose projects keep them. Nothing here waits or throws. */
export interface BodyLog {
  /** Room for so many bytes, until they are given back or kept; false: there is none. */
  take(bytes: number): boolean
  give(bytes: number): void
  /** Takes over what was taken for these bytes. */
  keep(bodies: CallBodies): void
  /** There was no room: counts that the bodies of a call are lost. */
  drop(): void
}

/** Where open holds stand on this node's disk until their calls are settled (MONEY.md rule 16). */
export interface HoldJournal {
  /** Resolves when the hold is written. Rejects, or throws, STORAGE_UNAVAILABLE when it cannot be. */
  append(hold: OpenHold): Promise<void>
  /** The call has a durable record. */
  settled(callId: string): void
}

/** How the gateway finds a key by the SHA-256 of its keyString. */
export interface KeyFinder {
  findByDigest(digest: string): Promise<{
    readonly key: Key
    readonly project: Project
    readonly budgets: readonly Budget[]
    readonly quota: QuotaGrant
  } | null>
}

export interface GatewayLimits {
  /** Largest request body that is read and inspected. */
  readonly bodyBytesMax: number
  /** Largest unary reply that is held until its usage is durable. */
  readonly replyBytesMax: number
  /** How long the upstream is drained for its usage after the client left (MONEY.md rule 17). */
  readonly drainMs: number
}

/** A call that a budget refused. */
export interface CapHit {
  readonly timeMs: number
  readonly budgetUid: string
  readonly reason: CapHitReason
  readonly projectNumber: string
  readonly keyUid: string
  readonly callId: string
}

/** One function per event worth counting or logging. None is ever given a key. */
export interface GatewayEvents {
  callRefused(error: ApiError, call: { readonly id: string }): void
  callSettled(record: UsageRecord): void
  capHit(hit: CapHit): void
  /** A call is answered 429: told once for each limit that refused it. */
  callLimited(refused: RefusedCall): void
  upstreamCredentialRefused(detail: {
    readonly callId: string
    readonly httpStatus: number
    readonly reason: string
  }): void
  upstreamFailed(error: ApiError, call: { readonly id: string }): void
  /** A usage record could not be made durable in time: it is logged whole, so that nothing is lost silently. */
  usageNotDurable(record: UsageRecord, cause: unknown): void
}
