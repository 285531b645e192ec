/** Where rates are counted: in this process, or in the Redis that several share. */
import { MemoryQuota } from './memory.ts'
import type { RedisQuota, RedisQuotaOptions } from './redis.ts'

export type Quota = MemoryQuota | RedisQuota

/** `url` null: one process counts for itself, and Redis' client is not even read: a start without it is faster. */
export async function openQuota(
  options: Omit<RedisQuotaOptions, 'url'> & { readonly url: string | null },
): Promise<Quota> {
  const { url, timeZone } = options
  if (url === null) return new MemoryQuota(timeZone)
  const { RedisQuota } = await import('./redis.ts')
  return new RedisQuota({ ...options, url })
}
