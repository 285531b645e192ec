/** Keys as the gateway is given them: with the tier of their project, the operator's or the shipped one of that id. */
import type { Tier } from './domain/quota.ts'
import type { KeyFinder } from './gateway/call.ts'

export function tieredKeys(keys: KeyFinder, shipped: ReadonlyMap<string, Tier>): KeyFinder {
  return {
    async findByDigest(digest) {
      const found = await keys.findByDigest(digest)
      const tierId = found?.project.tier ?? null
      if (found === null || tierId === null || found.quota.tier !== null) return found
      return { ...found, quota: { ...found.quota, tier: shipped.get(tierId) ?? null } }
    },
  }
}
