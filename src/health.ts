/** Whether this process is alive, and whether it could serve: for load balancers and supervisors. */
import { ApiError } from './domain/error.ts'
import type { Gateway } from './gateway/call.ts'
import type { Exchange } from './http/listener.ts'
import { DATA_POLICY, writeReply } from './http/reply.ts'
import type { Storage } from './storage/storage.ts'

interface Served {
  readonly storage: Storage
  readonly gateway: Gateway
}

/** `/healthz`: the process answers. `/readyz`: it could let a call in. Neither needs a credential or tells anything. */
export async function answerHealth(
  { target, response, requestId }: Exchange,
  { storage, gateway }: Served,
): Promise<void> {
  const isLeased = performance.now() < storage.ledger.leasedUntilMs()
  const isReady =
    target.path === '/healthz' || (gateway.usage.isFlowing() && isLeased && (await answers(storage)))
  writeReply(response, {
    status: isReady ? 200 : 503,
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': DATA_POLICY,
      'x-request-id': requestId,
    },
    body: Buffer.from(isReady ? 'ok\n' : 'not ready: storage does not answer\n'),
  })
}

async function answers(storage: Storage): Promise<boolean> {
  try {
    await storage.node.ping()
    return true
  } catch (error) {
    if (error instanceof ApiError) return false
    throw error
  }
}
