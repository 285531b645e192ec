/**
 * The rows as Kysely sees them. Four column kinds only: text, bigint, JSON in text, nullable bigint time (epoch ms).
 * The tables themselves are made by migrations/, except the monthly usage_record tables (usage-block.ts).
 */
import type { Generated, Transaction, Kysely } from 'kysely'

export interface Database {
  project: ProjectTable
  key: KeyTable
  key_use: KeyUseTable
  token: TokenTable
  operation: OperationTable
  audit_entry: AuditEntryTable
  epoch: EpochTable
  usage_block: UsageBlockTable
  usage_watermark: UsageWatermarkTable
  usage_minute: UsageRollupTable
  usage_hour: UsageRollupTable
  usage_day: UsageRollupTable
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
}

export interface KeyTable {
  uid: string
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

/** How far the records of a node in a block are in the rollups. */
interface UsageWatermarkTable {
  node_id: string
  block: string
  seq: number
}

interface UsageRollupTable {
  project_number: string
  bucket_time: number
  key_uid: string
  model: string
  method: string
  calls: number
  errors: number
  estimated: number
  prompt_tokens: number
  cached_tokens: number
  tool_use_prompt_tokens: number
  candidates_tokens: number
  thoughts_tokens: number
  total_tokens: number
  request_bytes: number
  response_bytes: number
}
