/**
 * The rows as Kysely sees them. Four column kinds only: text, bigint, JSON in text, nullable bigint time (epoch ms).
 * The tables themselves are made by migrations/, except the monthly usage_record tables (usage-block.ts).
 */
import type { Generated, Transaction, Kysely } from 'kysely'
import type { UsageProjectTable, UsageRollupTable } from './schema-usage.ts'
import type {
  IamBindingTable,
  IamPolicyTable,
  KnownDeviceTable,
  PasskeyTable,
  PersonTable,
  ServiceAccountKeyTable,
  ServiceAccountTable,
  ServiceAccountTokenTable,
  SessionTable,
  SignInAttemptTable,
  SignInChallengeTable,
  SignInLinkTable,
} from './schema-access.ts'

export interface Database {
  project: ProjectTable
  key: KeyTable
  key_use: KeyUseTable
  token: TokenTable
  operation: OperationTable
  audit_entry: AuditEntryTable
  audit_head: AuditHeadTable
  audit_checkpoint: AuditCheckpointTable
  master_key: MasterKeyTable
  secret: SecretTable
  epoch: EpochTable
  usage_block: UsageBlockTable
  usage_watermark: UsageWatermarkTable
  usage_minute: UsageRollupTable
  usage_hour: UsageRollupTable
  usage_day: UsageRollupTable
  usage_project_minute: UsageProjectTable
  usage_project_hour: UsageProjectTable
  usage_project_day: UsageProjectTable
  budget: BudgetTable
  budget_period: BudgetPeriodTable
  allotment: AllotmentTable
  ledger_entry: LedgerEntryTable
  iam_policy: IamPolicyTable
  iam_binding: IamBindingTable
  service_account: ServiceAccountTable
  service_account_token: ServiceAccountTokenTable
  service_account_key: ServiceAccountKeyTable
  tier: TierTable
  quota_limit: QuotaLimitTable
  refusal_hour: RefusalHourTable
  change_log: ChangeLogTable
  presence: PresenceTable
  price_override: PriceOverrideTable
  person: PersonTable
  passkey: PasskeyTable
  session: SessionTable
  sign_in_link: SignInLinkTable
  sign_in_challenge: SignInChallengeTable
  sign_in_attempt: SignInAttemptTable
  known_device: KnownDeviceTable
  node: NodeTable
  recall: RecallTable
  cap_hit: CapHitTable
  call_body: CallBodyTable
}

/** The database or a transaction in it. */
export type Db = Kysely<Database> | Transaction<Database>

export interface ProjectTable {
  number: string
  project_id: string
  display_name: string
  labels: string
  model_aliases: string
  etag: string
  /** Keys that are not deleted; held at or below 300 by the statement that raises it. */
  live_keys: number
  create_time: number
  update_time: number
  delete_time: number | null
  /** Set: gone for every reader. The row stays so that neither id nor number is ever used again. */
  purge_time: number | null
  /** The id of its tier; null: none, and no limits but its own. */
  tier: string | null
  /** 1: the keyStrings of keys made from now on are sealed and kept. */
  recoverable_keys: Generated<number>
  /** For how long bodies of its calls are kept; null: they are not. */
  body_retention_hours: number | null
}

/** What was asked and answered in a call, sealed under a key of its project. */
interface CallBodyTable {
  call_id: string
  project_number: string
  key_uid: string
  create_time: number
  /** By the retention of its time; a shorter one since counts, too. */
  expire_time: number
  sealed: string
}

export interface KeyTable {
  uid: string
  /** The uid of the first key of its line, which its budgets hang on. */
  lineage: string
  project_number: string
  key_id: string
  /** SHA-256 of the keyString. */
  digest: string
  display_name: string
  annotations: string
  restrictions: string | null
  allowed_models: string | null
  allowed_tools: string | null
  environment: string | null
  masked_key_string: string
  etag: string
  create_time: number
  update_time: number
  delete_time: number | null
  disabled_time: number | null
  expire_time: number | null
}

/** A table of its own, so that traffic never writes to the rows that the management API changes. */
interface KeyUseTable {
  key_uid: string
  last_used_time: number
}

interface TokenTable {
  name: string
  digest: string
  role: string
  create_time: number
  update_time: number
}

interface OperationTable {
  name: string
  verb: string
  create_time: number
  resource: string
}

export interface AuditEntryTable {
  insert_id: string
  time: number
  principal: string
  method_name: string
  permission: string
  resource_name: string
  project_number: string | null
  caller_ip: string | null
  user_agent: string | null
  request_reason: string | null
  request_id: string
  request: string
  before: string
  after: string
  /** The place in the chain, from 1 without a gap. */
  seq: number
  /** SHA-256 of the entry and the digest before (domain/audit.ts). */
  digest: string
  /** Why it was refused, canonical JSON; null: it was done. */
  status: string | null
}

/** One row: the last entry, and the signature that it is the last. */
interface AuditHeadTable {
  id: number
  seq: number
  digest: string
  /** Empty until the first node starts that knows the chain. */
  signature: string
}

/** Ends of the chain, signed now and then and kept. */
interface AuditCheckpointTable {
  seq: number
  digest: string
  time: number
  signature: string
}

/** One row: which master key seals, and a value that only opens under it. */
interface MasterKeyTable {
  id: number
  key_id: string
  check_value: string
  update_time: number
}

/** Sealed values (secrets/seal.ts), each by the place it belongs to. */
export interface SecretTable {
  table_name: string
  row_id: string
  column_name: string
  project_number: string | null
  version: number
  sealed: string
}

/** One row, raised by every change: how a node learns that another one changed something. */
interface EpochTable {
  id: Generated<number>
  value: number
}

/** The months that have a usage_record table, e.g. `202611`. */
interface UsageBlockTable {
  block: string
  create_time: number
}

/** How far the records of a node in a block are in the rollups, for one part of the keys (rollup.ts). */
interface UsageWatermarkTable {
  node_id: string
  block: string
  part: number
  seq: number
}

/** One live budget per (scope, project, lineage, period): a unique index without the deleted ones. */
export interface BudgetTable {
  uid: string
  scope: string
  /** Empty at the organization. */
  project_number: string
  /** Empty above a key. */
  lineage: string
  period: string
  cap: number
  policy: string
  default_max_output_tokens: number | null
  tool_ceilings: string
  frozen_time: number | null
  etag: string
  create_time: number
  update_time: number
  delete_time: number | null
}

/**
 * What a budget holds in one period. Rows are never removed, and `posted` goes down only where a lost node came back and
 * says what it did not spend, so `posted + allotted <= cap`, which every grant keeps, bounds what is ever spent.
 */
export interface BudgetPeriodTable {
  id: number
  budget_uid: string
  period_start: number
  /** Spent, without what open allotments have settled: that is added when they are closed. Lost ones are in it whole. */
  posted: number
  /** The sum of `granted` over the row's open allotments: what they have settled is part of it. */
  allotted: number
  /** Cost of calls above what was posted for them. */
  overrun: number
  /** The part of `overrun` that somebody has acknowledged. */
  acknowledged: number
}

/**
 * A node's share of a row: one per node and row, lost ones not counted. Closing it removes it. That of a lost node stays as
 * the estimate of what it spent: all of it is posted then, and what is settled late only says what that was for.
 */
interface AllotmentTable {
  id: string
  node_id: string
  row_id: number
  granted: number
  /** What records took of `granted`; raised in the transaction that stores them. */
  settled: number
  open_time: number
  /** When its node was taken for lost; null: it is open. */
  lost_time: number | null
}

/** The operator's tiers. One of the id of a shipped tier replaces that one. */
export interface TierTable {
  id: string
  display_name: string
  quota_id_suffix: string
  limits: string
  allowed_models: string | null
  allowed_methods: string | null
  allowed_tools: string | null
  /** null: none. */
  spend_cap: number | null
  /** null: the list price. */
  price_basis_points: number | null
  etag: string
  create_time: number
  update_time: number
}

export interface QuotaLimitTable {
  project_number: string
  /** Empty at the project. */
  lineage: string
  metric: string
  /** `*`: each model; empty: all together. */
  model: string
  value: number
  update_time: number
}

/** Calls that were refused for their rate; texts are empty for what is not told apart. */
interface RefusalHourTable {
  project_number: string
  bucket_time: number
  reason: string
  /** `project`, `key`; empty where it was no limit of ours. */
  scope: string
  metric: string
  model: string
  key_uid: string
  calls: number
  last_time: number
}

/** Calls that a budget refused in one of its periods, by reason. */
interface CapHitTable {
  budget_uid: string
  period_start: number
  reason: string
  calls: number
  first_time: number
  last_time: number
  last_project_number: string
  last_key_uid: string
  last_call_id: string
}

/** Posted money that no record stands for. */
interface LedgerEntryTable {
  row_id: number
  /** `opening`: records older than the budget. `lost`: allotments without a journal. `closing`: records dropped since. */
  kind: 'opening' | 'lost' | 'closing'
  nanos: number
  node_id: string | null
  time: number
}

/** What the newest epochs changed. Written only where there are other nodes to read it. */
interface ChangeLogTable {
  epoch: number
  /** `Change[]` as JSON. */
  changes: string
}

/** Nodes that use the database now. */
interface PresenceTable {
  node_id: string
  /** The newest migration the node's program knows. */
  schema_version: string
  /** The same for the same master key; tells nothing about it. */
  /** The database's clock. */
  seen_time: number
}

/** The price an operator set for a model from a moment on; it holds until the model's next one. */
export interface PriceOverrideTable {
  uid: string
  model: string
  effective_time: number
  /** What the price says, as the API takes it. */
  fields: string
  create_time: number
}

/** The processes that ever ran on the database, by the id of their data folder. */
interface NodeTable {
  id: string
  /** Raised whenever a process starts as this node or the node is taken for lost: what was begun before is void. */
  epoch: number
  /** From when on others may take it for lost; null: it has left, or was taken for lost. */
  lease_time: number | null
  start_time: number
}

/** Rows that the other nodes should look at. */
interface RecallTable {
  row_id: number
  node_id: string
  /** `lacking`: the node lacks money that they may have. `lowered`: less is posted than they may have been told. */
  kind: 'lacking' | 'lowered'
  time: number
}
