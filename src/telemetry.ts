/** What operators can watch: logs on standard error, metrics for Prometheus. One function per event; none takes a key. */
import pino, { type Logger } from 'pino'
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client'
import { CallMetrics } from './call-metrics.ts'
import type { Config } from './config.ts'
import { DEGRADED_MODE_NAMES, type DegradedModeName } from './domain/degraded-mode.ts'
import type { ApiError } from './domain/error.ts'
import { redactCredentials } from './domain/redaction.ts'
import type { GatewayEvents } from './gateway/call.ts'

const DROPPING_TOLD_EVERY_MS = 60_000

export interface Telemetry {
  readonly log: Logger
  readonly gateway: GatewayEvents
  /** The metrics in Prometheus' text format. */
  metrics(): Promise<string>
  /** What is away now; nothing before the gauges are watched. */
  degradedModes(): readonly DegradedModeName[]
  /** Numbers that are read when the metrics are. */
  watch(gauges: Gauges): void
  /** Work of the storage thread that nobody waits for failed; it is tried again. Told once per outage. */
  storageFailed(error: ApiError): void
  /** Money that a call does not need any more could not be given back; it is tried again. */
  ledgerFailed(error: unknown): void
  /** The counters of rate limits cannot be used: calls are let through uncounted. Told once per outage. */
  quotaStoreFailed(error: unknown): void
  quotaUnenforced(): void
  /** Bodies of so many calls were lost that their projects would have kept. */
  bodiesDropped(calls: number): void
  /** Price overrides could not be read after a change of another process; they are read again. */
  pricesNotRead(error: unknown): void
  /** A failure that was answered with 5xx outside a call. */
  requestFailed(error: ApiError, requestId: string): void
}

interface Gauges {
  readonly openCalls: () => number
  readonly bodyBytes: () => number
  readonly usageFlowing: () => boolean
  readonly degraded: Readonly<Record<DegradedModeName, () => boolean>>
  /** For how long other nodes' changes have not been asked for, ms. */
  readonly changesAgeMs: () => number
  /** How far this machine's clock is ahead of the database's. */
  readonly clockSkewMs: () => number
}

export function createTelemetry(config: Pick<Config, 'logLevel'>): Telemetry {
  const log = pino(
    {
      level: config.logLevel,
      base: null,
      hooks: { streamWrite: redactCredentials },
      serializers: { err: describe },
    },
    pino.destination({ dest: 2, sync: true }),
  )
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const calls = new CallMetrics()
  const refused = new Counter({
    name: 'pollux_calls_refused_total',
    help: 'Calls answered with an error of this gateway, by reason.',
    labelNames: ['reason'] as const,
    registers,
  })
  const limited = new Counter({
    name: 'pollux_calls_limited_total',
    help: 'Limits that calls were answered 429 for, by reason and metric.',
    labelNames: ['reason', 'metric'] as const,
    registers,
  })
  const upstreamFailures = new Counter({
    name: 'pollux_upstream_failures_total',
    help: 'Calls that the upstream did not answer whole, by reason.',
    labelNames: ['reason'] as const,
    registers,
  })
  const credentialRefusals = new Counter({
    name: 'pollux_upstream_credential_refused_total',
    help: "Replies in which the upstream refused the gateway's own credential. Should stay 0.",
    labelNames: ['reason'] as const,
    registers,
  })
  const usageLost = new Counter({
    name: 'pollux_usage_not_durable_total',
    help: 'Replies that were cut since their usage was not durable in time; it is posted later. Should stay 0.',
    registers,
  })
  const unenforced = new Counter({
    name: 'pollux_quota_unenforced_total',
    help: 'Calls let through without their rate limits, since Redis did not count them in time. Should stay 0.',
    registers,
  })
  const bodiesDropped = new Counter({
    name: 'pollux_bodies_dropped_total',
    help: 'Calls whose bodies were to be kept and are not: too many waited to be written, or they could not be.',
    registers,
  })
  let droppingToldMs = -Infinity
  const gateway: GatewayEvents = {
    callRefused(error, call) {
      refused.inc({ reason: error.reason })
      if (error.httpStatus >= 500) log.warn({ requestId: call.id, err: error }, 'call failed')
      else log.debug({ requestId: call.id, reason: error.reason }, 'call refused')
    },
    callSettled: record => calls.add(record),
    capHit: ({ callId, budgetUid, reason }) =>
      log.debug({ requestId: callId, budgetUid, reason }, 'a budget refused a call'),
    callLimited: ({ reason, quota }) => limited.inc({ reason, metric: quota?.metric ?? 'none' }),
    upstreamCredentialRefused({ callId, httpStatus, reason }) {
      credentialRefusals.inc({ reason })
      log.error(
        { requestId: callId, httpStatus, reason },
        'the upstream refused our credential: check GOOGLE_API_KEY or GEMINI_API_KEY, its restrictions and its billing',
      )
    },
    upstreamFailed(error) {
      upstreamFailures.inc({ reason: error.reason })
    },
    usageNotDurable(record, cause) {
      usageLost.inc()
      log.error(
        { record, err: cause },
        'a usage record is not in the database yet: it is kept in the journal and will be posted; its reply was cut',
      )
    },
  }
  let degraded: Gauges['degraded'] | null = null
  return {
    log,
    gateway,
    degradedModes: () => (degraded === null ? [] : namesOf(degraded)),
    metrics: async () => `${await registry.metrics()}\n${calls.text()}`,
    watch(gauges) {
      const gauge = (name: string, help: string, read: () => number): void => {
        const made: Gauge = new Gauge({ name, help, registers: [], collect: () => made.set(read()) })
        registry.registerMetric(made)
      }
      gauge('pollux_open_calls', 'Calls let in and not yet settled.', gauges.openCalls)
      gauge('pollux_request_body_bytes', 'Bytes of request bodies in memory.', gauges.bodyBytes)
      gauge('pollux_usage_flowing', '1 while usage records become durable.', () =>
        gauges.usageFlowing() ? 1 : 0,
      )
      gauge(
        'pollux_clock_skew_seconds',
        "How far this machine's clock is ahead of the database's; on SQLite, of what it was itself before.",
        () => gauges.clockSkewMs() / 1000,
      )
      degraded = gauges.degraded
      watchModes(registry, gauges.degraded)
      gauge(
        'pollux_changes_age_seconds',
        'Since the database last said what other nodes changed. From 0.9 on no key is taken from memory.',
        () => gauges.changesAgeMs() / 1000,
      )
    },
    storageFailed(error) {
      log.error({ err: error }, 'storage: work in the background failed and will be tried again')
    },
    ledgerFailed(error) {
      log.error({ err: error }, 'ledger: free money could not be given back and will be tried again')
    },
    quotaStoreFailed(error) {
      log.error(
        { err: error },
        'Redis does not answer, or with errors: rate limits are not enforced meanwhile',
      )
    },
    quotaUnenforced: () => unenforced.inc(),
    bodiesDropped(calls) {
      bodiesDropped.inc(calls)
      // Where there is one there are thousands.
      if (performance.now() - droppingToldMs < DROPPING_TOLD_EVERY_MS) return
      droppingToldMs = performance.now()
      log.warn('bodies of calls are dropped: more come than the database takes (pollux_bodies_dropped_total)')
    },
    pricesNotRead(error) {
      log.error({ err: error }, 'price overrides could not be read and will be read again')
    },
    requestFailed(error, requestId) {
      log.error({ requestId, err: error }, 'request failed')
    },
  }
}

/** One row for each way of carrying on without something (domain/degraded-mode.ts). */
function watchModes(registry: Registry, degraded: Gauges['degraded']): void {
  const made: Gauge<'mode'> = new Gauge({
    name: 'pollux_degraded',
    help: '1 while something is away; docs/operations.md says what each mode means.',
    labelNames: ['mode'],
    registers: [registry],
    collect() {
      for (const [mode, isDegraded] of Object.entries(degraded)) made.set({ mode }, isDegraded() ? 1 : 0)
    },
  })
}

function namesOf(degraded: Gauges['degraded']): readonly DegradedModeName[] {
  return DEGRADED_MODE_NAMES.filter(mode => degraded[mode]())
}

/** An error with its private causes: for the log only. */
function describe(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return String(thrown)
  const { name, message, stack, cause } = thrown
  const reason = 'reason' in thrown ? { reason: thrown.reason } : {}
  return { name, ...reason, message, stack, ...(cause === undefined ? {} : { cause: describe(cause) }) }
}
