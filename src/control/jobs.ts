import { systemEntry } from '../domain/audit.ts'
import { ORGANIZATION } from '../domain/project.ts'
import { UNDELETE_DAYS } from '../domain/key.ts'
import { REFUSALS_KEPT_MS } from '../domain/refused-call.ts'
import type { Storage } from '../storage/storage.ts'

const DAY_MS = 86_400_000
const INTERVAL_MS = 3_600_000
/** How long a finished operation can be read. */
const OPERATION_DAYS = 7

/** Where the management plane says what happened, in pino's order. An error stands in `err`, private causes included. */
export interface ControlLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void
  error(fields: Readonly<Record<string, unknown>>, message: string): void
}

export interface JobsContext {
  readonly storage: Storage
  readonly log: ControlLog
  readonly now: () => number
}

export interface Jobs {
  /** No run starts after this; resolves when the one under way, if any, is done. */
  stop(): Promise<void>
}

/** Starts what has to be done every hour, and does it now. Any number of nodes may: a purge is idempotent. */
export function startJobs(context: JobsContext): Jobs {
  let underWay = runJobs(context)
  const timer = setInterval(() => {
    underWay = underWay.then(() => runJobs(context))
  }, INTERVAL_MS)
  timer.unref()
  return {
    async stop() {
      clearInterval(timer)
      await underWay
    },
  }
}

/** What has to be done every hour. Failures are logged. */
export async function runJobs(context: JobsContext): Promise<void> {
  await purge(context)
  await signAudit(context)
}

/** Signs where the audit trail ends, and logs it: the log is where the database cannot be made to forget. */
async function signAudit({ storage, log }: JobsContext): Promise<void> {
  try {
    const checkpoint = await storage.audit.checkpoint()
    if (checkpoint !== null) log.info({ checkpoint }, 'audit checkpoint')
  } catch (cause) {
    log.error({ err: cause }, 'audit checkpoint failed')
  }
}

/** Purges keys and projects deleted more than 30 days ago, operations older than seven, and bodies past their retention. */
async function purge({ storage, log, now }: JobsContext): Promise<void> {
  try {
    const audit = systemEntry({
      methodName: 'pollux.v1.Jobs.Purge',
      resourceName: ORGANIZATION,
      projectNumber: null,
    })
    const resources = await storage.keys.purge(now() - UNDELETE_DAYS * DAY_MS, audit)
    const operations = await storage.operations.purge(now() - OPERATION_DAYS * DAY_MS)
    const signIns = await storage.signIns.purge(now())
    const refusals = await storage.refusals.purge(now() - REFUSALS_KEPT_MS)
    const bodies = await storage.bodies.purge(now())
    if (bodies > 0) log.info({ calls: bodies }, 'bodies of calls deleted, their retention is over')
    if (resources + operations > 0) log.info({ resources, operations, signIns, refusals }, 'purged')
  } catch (cause) {
    // The next run tries again; nothing depends on the hour.
    log.error({ err: cause }, 'purge failed')
  }
}
