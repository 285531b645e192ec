/** Where rates are counted: in this process, or in the Redis that several share. */
import { MemoryQuota } from './memory.ts'
import { RedisQuota, type RedisQuotaOptions } from './redis.ts'

export type Quota = MemoryQuota | RedisQuota

/** `url` null: one process counts for itself. */
export function openQuota(options: Omit<RedisQuotaOptions, 'url'> & { readonly url: string | null }): Quota {
  const { url, timeZone } = options
  return url === null ? new MemoryQuota(timeZone) : new RedisQuota({ ...options, url })
}
