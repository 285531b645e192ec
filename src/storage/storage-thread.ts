/** The storage thread as its two sides know it: how it is started, and what they say to each other. */
import { Worker } from 'node:worker_threads'
import type { Recalled } from '../domain/ledger.ts'
import type { UsageQuery } from '../domain/usage.ts'
import type { IamStore, ServiceAccountStore } from './access.ts'
import type { AppendMessage } from './append-queue.ts'
import type { AuditStore } from './audit-store.ts'
import type { BodyRemote } from './body-store.ts'
import type { EngineChoice } from './engine.ts'
import type { LinkStore, PasskeyStore, SessionStore, SignInStore, UserStore } from './people.ts'
import type { CapHitStore } from './cap-hit-store.ts'
import type { QuotaStore, RefusalRemote, TierStore } from './quota-store.ts'
import type { ErrorMessage } from './remote.ts'
import type {
  BudgetStore,
  Change,
  KeyStore,
  LedgerRemote,
  OperationStore,
  PriceStore,
  ProjectStore,
  SecretStore,
  TokenStore,
} from './storage.ts'
import type { UsageLog } from './usage-log.ts'
import type { reportUsage } from './usage-report.ts'
import type { UsageStore } from './usage-store.ts'

/**
 * Starts the thread, which loads its modules and then waits to be told what to open. Until `openStorage` takes it over it
 * keeps no process alive.
 */
export function startStorageThread(): Worker {
  const thread = new Worker(new URL('./worker.ts', import.meta.url), { name: 'storage' })
  thread.unref()
  return thread
}

/** What the thread is told to open: its first message. */
export interface StorageThreadOptions {
  readonly engine: EngineChoice
  readonly dataDir: string
  readonly timeZone: string
  /** In base64, the one that seals first; null: those in the folder. */
  readonly masterKeys: readonly string[] | null
  readonly keyDir: string
  /** Where audit entries go as JSON lines besides; null: nowhere. */
  readonly auditFile: string | null
  /** Where nodes wake each other; null: in the database. */
  readonly redisUrl: string | null
  /** How long the node counts as alive after it was heard of. */
  readonly leaseMs: number
}

/** What the thread says on its own account. */
export type StorageEvent =
  | { readonly kind: 'open'; readonly hasPeers: boolean }
  | { readonly kind: 'refused'; readonly error: ErrorMessage }
  | { readonly kind: 'change'; readonly change: Change }
  /** Whether other nodes can tell of their changes now. */
  | { readonly kind: 'push'; readonly isUp: boolean }
  /** How far this machine's clock is ahead of the database's. */
  | { readonly kind: 'clock'; readonly skewMs: number }
  | { readonly kind: 'recall'; readonly recalled: Recalled }
  | { readonly kind: 'lost' }
  | { readonly kind: 'jobFailed'; readonly error: ErrorMessage }
  /**
   * Something stored cannot be read as it was written: DATABASE_DAMAGED. Or a newer program has changed the tables:
   * STATE_CONFLICT, and the thread ends.
   */
  | { readonly kind: 'unusable'; readonly error: ErrorMessage }

/** Usage as the near side calls it: appends come together (append-queue.ts). */
export interface UsageRemote {
  append(number: number, message: AppendMessage): Promise<void>
  report(query: UsageQuery): ReturnType<typeof reportUsage>
  recent: UsageLog['recent']
  list: UsageStore['list']
  tail: UsageStore['tail']
}

/** The store as a whole. */
export interface StoreRemote {
  ping(): Promise<void>
  nowMs(): Promise<number>
  /** Looks for changes and recalls of other processes. */
  poll(): Promise<void>
  /** Makes the node's lease last its full length again. */
  renewLease(): Promise<void>
  /** Looks after nodes whose lease has run out. */
  resolveLost(): Promise<void>
  close(): Promise<void>
}

/** What the thread answers for. */
export interface StorageObjects {
  readonly projects: ProjectStore
  readonly keys: KeyStore
  readonly tokens: TokenStore
  readonly iam: IamStore
  readonly serviceAccounts: ServiceAccountStore
  readonly users: UserStore
  readonly links: LinkStore
  readonly sessions: SessionStore
  readonly passkeys: PasskeyStore
  readonly signIns: SignInStore
  readonly operations: OperationStore
  readonly audit: AuditStore
  readonly secrets: SecretStore
  readonly budgets: BudgetStore
  readonly capHits: CapHitStore
  readonly quotas: QuotaStore
  readonly tiers: TierStore
  readonly refusals: RefusalRemote
  readonly bodies: BodyRemote
  readonly ledger: LedgerRemote
  readonly prices: PriceStore
  readonly usage: UsageRemote
  readonly store: StoreRemote
}
