/** Whether this process is alive, and whether it could serve: for load balancers and supervisors. */
import { ApiError } from './domain/error.ts'
import type { Gateway } from './gateway/call.ts'
import type { Intake } from './gateway/intake.ts'
import type { Exchange } from './http/listener.ts'
import { DATA_POLICY, writeReply } from './http/reply.ts'
import type { Storage } from './storage/storage.ts'

interface Served {
  readonly storage: Storage
  readonly gateway: Gateway
  readonly intake: Intake
}

/** `/healthz`: the process answers. `/readyz`: it could let a call in. Neither needs a credential or tells more than that. */
export async function answerHealth({ target, response, requestId }: Exchange, served: Served): Promise<void> {
  const obstacle = target.path === '/healthz' ? null : await obstacleTo(served)
  writeReply(response, {
    status: obstacle === null ? 200 : 503,
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': DATA_POLICY,
      'x-request-id': requestId,
    },
    body: Buffer.from(obstacle === null ? 'ok\n' : `not ready: ${obstacle}\n`),
  })
}

/** Why no call would be let in; null: nothing stands against it. A crowd is over sooner than a load balancer has heard of it. */
async function obstacleTo({ storage, gateway, intake }: Served): Promise<string | null> {
  if (intake.isClockWrong) return 'the clock is wrong'
  const isLeased = performance.now() < storage.ledger.leasedUntilMs()
  return gateway.usage.isFlowing() && isLeased && (await answers(storage)) ? null : 'storage does not answer'
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
