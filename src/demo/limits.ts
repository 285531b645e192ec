/** Limits of the demo's projects and keys, and the calls that they turned away. */
import type { QuotaLimit } from '../domain/quota.ts'
import type { RefusedCall } from '../domain/refused-call.ts'
import type { Storage } from '../storage/storage.ts'
import { EDITOR, demoEntry } from './entry.ts'
import type { Random } from './random.ts'
import type { Seeded } from './seed.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** Counts of refusals are kept for a week. */
const REFUSED_DAYS = 6

const LIMITS: readonly (QuotaLimit & { readonly project: string; readonly key?: string })[] = [
  { project: 'research', metric: 'requestsPerDay', model: 'gemini-4-argon', value: 40 },
  { project: 'research', metric: 'inputTokensPerMinute', model: 'gemini-3.8-flash', value: 250_000 },
  { project: 'research', key: 'evaluations', metric: 'requestsPerMinute', model: '*', value: 10 },
  { project: 'media-studio', metric: 'imagesPerMinute', model: null, value: 12 },
  { project: 'media-studio', metric: 'requestBytesPerDay', model: null, value: 40_000_000 },
  { project: 'support-desk', key: 'chat-widget', metric: 'requestsPerMinute', model: null, value: 120 },
  { project: 'support-desk', key: 'chat-widget', metric: 'concurrentCalls', model: null, value: 25 },
  {
    project: 'web-shop',
    key: 'storefront',
    metric: 'requestsPerDay',
    model: 'gemini-3.8-flash',
    value: 20_000,
  },
]

type Refused = Pick<RefusedCall, 'model' | 'reason' | 'quota'> & {
  readonly project: string
  readonly key: string
  readonly callsPerDay: number
}

const REFUSED: readonly Refused[] = [
  {
    project: 'research',
    key: 'notebooks',
    model: 'gemini-4-argon',
    reason: 'RATE_LIMIT_EXCEEDED',
    quota: { scope: 'project', metric: 'requestsPerDay' },
    callsPerDay: 26,
  },
  {
    project: 'research',
    key: 'evaluations',
    model: 'gemini-3.8-flash',
    reason: 'RATE_LIMIT_EXCEEDED',
    quota: { scope: 'key', metric: 'requestsPerMinute' },
    callsPerDay: 61,
  },
  {
    project: 'research',
    key: 'evaluations',
    model: 'gemini-4-argon',
    reason: 'UPSTREAM',
    quota: null,
    callsPerDay: 7,
  },
  {
    project: 'media-studio',
    key: 'android-app',
    model: 'gemini-nano-banana-2.1',
    reason: 'RATE_LIMIT_EXCEEDED',
    quota: { scope: 'project', metric: 'imagesPerMinute' },
    callsPerDay: 18,
  },
  {
    project: 'support-desk',
    key: 'chat-widget',
    model: 'gemini-3.8-flash',
    reason: 'RATE_LIMIT_EXCEEDED',
    quota: { scope: 'key', metric: 'concurrentCalls' },
    callsPerDay: 9,
  },
  {
    project: 'web-shop',
    key: 'storefront',
    model: 'gemini-3.8-flash',
    reason: 'SPEND_HELD',
    quota: null,
    callsPerDay: 3,
  },
]

export interface LimitPlace {
  readonly storage: Storage
  readonly seeded: Seeded
  readonly random: Random
  readonly nowMs: number
}

export async function addLimits({ storage, seeded, random, nowMs }: LimitPlace): Promise<void> {
  const numberOf = (project: string): string => seeded.projects.get(project)?.number ?? ''
  for (const { project, key, metric, model, value } of LIMITS) {
    const projectNumber = numberOf(project)
    const lineage = key === undefined ? null : (seeded.keyUids.get(key) ?? null)
    const place = key === undefined ? '' : `/keys/${key}`
    const audit = demoEntry(EDITOR, {
      methodName: `pollux.v1.Quotas.Set${key === undefined ? 'Project' : 'Key'}QuotaLimit`,
      resourceName: `projects/${projectNumber}${place}/quotaLimits`,
      projectNumber,
    })
    await storage.quotas.set({ projectNumber, lineage }, { metric, model, value }, audit)
  }
  const refused = REFUSED.flatMap(({ project, key, callsPerDay, ...of }) => {
    const keyUid = seeded.keyUids.get(key) ?? ''
    return Array.from({ length: random.count(callsPerDay * REFUSED_DAYS) }, () => ({
      ...of,
      projectNumber: numberOf(project),
      keyUid,
      // Bursts of the early afternoon, UTC.
      timeMs: burstMs(random, nowMs),
    }))
  })
  for (const call of refused.toSorted((one, other) => one.timeMs - other.timeMs)) storage.refusals.count(call)
}

function burstMs(random: Random, nowMs: number): number {
  const dayMs = Math.floor(nowMs / DAY_MS - random.next() * REFUSED_DAYS) * DAY_MS
  return Math.min(nowMs, dayMs + 12 * HOUR_MS + Math.floor(random.next() * 4 * HOUR_MS))
}
