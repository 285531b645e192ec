/** The rows of the rollups as Kysely sees them (usage-sums.ts). */

interface UsageSums {
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
  cost_nanos: number
  unpriced: number
  overrun_nanos: number
  image_tokens: number
  audio_tokens: number
  video_tokens: number
  document_tokens: number
  duration_ms: number
  duration_max_ms: number
}

/** By key. */
export interface UsageRollupTable extends UsageSums {
  project_number: string
  bucket_time: number
  key_uid: string
  model: string
  method: string
  http_status: number
}

/** Without keys. */
export interface UsageProjectTable extends UsageSums {
  project_number: string
  bucket_time: number
  /** Of the key when its records were folded; empty where it has none. */
  environment: string
  model: string
  method: string
  http_status: number
}
