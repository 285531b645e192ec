import { usableEntry } from './identify.ts'
import { checkGrant } from './authorize.ts'
import type { Admission, Call, Gateway, Grant } from './call.ts'
import { ApiError } from '../domain/error.ts'

/**
 * Whether there is room for the call. The last step before anything is sent: a key that was revoked or restricted
 * while its body came in is refused here. Quotas and holds of money are taken here too. Throws what identify and
 * authorize throw, and STORAGE_UNAVAILABLE (503) while usage cannot be made durable.
 */
export async function admit(
  grant: Grant,
  call: Call,
  io: Pick<Gateway, 'keys' | 'usage'>,
): Promise<Admission> {
  if (!io.usage.isFlowing()) {
    throw new ApiError(
      'STORAGE_UNAVAILABLE',
      'Usage cannot be recorded at the moment, so no call is let in. Please retry.',
    )
  }
  const found = usableEntry(grant.digest, io.keys)
  const entry = found instanceof Promise ? await found : found
  if (entry !== grant.entry) checkGrant(entry, call, grant)
  return { ...grant, hold: { settled: false } }
}
