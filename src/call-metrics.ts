/**
 * Counts of settled calls. They change with every call, so they are plain numbers here, and become Prometheus' text
 * when they are asked for (prometheus.io/docs/instrumenting/exposition_formats).
 */
import type { UsageRecord } from './domain/usage.ts'

const LATENCY_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

const TOKEN_KINDS = [
  ['prompt', 'promptTokens'],
  ['cached', 'cachedTokens'],
  ['tool_use_prompt', 'toolUsePromptTokens'],
  ['candidates', 'candidatesTokens'],
  ['thoughts', 'thoughtsTokens'],
] as const

interface Ended {
  readonly method: string
  readonly outcome: string
  readonly httpStatus: number
  calls: number
}

interface Latency {
  /** Calls by bucket, the last one for those above every bound. */
  readonly calls: number[]
  sumSeconds: number
}

export class CallMetrics {
  readonly #ended: Ended[] = []
  /** What ended last: most calls end alike. */
  #last: Ended | null = null
  readonly #tokens = TOKEN_KINDS.map(() => 0)
  readonly #latencies = new Map<string, Latency>()

  add({ method, outcome, httpStatus, durationMs, usage }: UsageRecord): void {
    const last = this.#last
    if (last?.method === method && last.outcome === outcome && last.httpStatus === httpStatus) last.calls++
    else this.#endedAs(method, outcome, httpStatus).calls++
    this.#observe(method, durationMs / 1000)
    for (let kind = 0; kind < TOKEN_KINDS.length; kind++) {
      const [, count] = TOKEN_KINDS[kind] ?? TOKEN_KINDS[0]
      this.#tokens[kind] = (this.#tokens[kind] ?? 0) + usage[count]
    }
  }

  /** Prometheus' text format, each family once. */
  text(): string {
    const lines = [
      ...head('pollux_calls_total', 'counter', 'Calls that were let in, by how they ended.'),
      ...this.#ended.map(
        ({ method, outcome, httpStatus, calls }) =>
          `pollux_calls_total{method="${method}",outcome="${outcome}",http_status="${httpStatus}"} ${calls}`,
      ),
      ...head('pollux_tokens_total', 'counter', 'Tokens of settled calls.'),
      ...TOKEN_KINDS.map(
        ([kind], place) => `pollux_tokens_total{kind="${kind}"} ${this.#tokens[place] ?? 0}`,
      ),
      ...head(DURATION, 'histogram', 'From the arrival of a call to its settlement.'),
      ...Array.from(this.#latencies, ([method, latency]) => histogramLines(method, latency)).flat(),
    ]
    return `${lines.join('\n')}\n`
  }

  #endedAs(method: string, outcome: string, httpStatus: number): Ended {
    let ended = this.#ended.find(
      known => known.method === method && known.outcome === outcome && known.httpStatus === httpStatus,
    )
    if (ended === undefined) this.#ended.push((ended = { method, outcome, httpStatus, calls: 0 }))
    this.#last = ended
    return ended
  }

  #observe(method: string, seconds: number): void {
    let latency = this.#latencies.get(method)
    if (latency === undefined) {
      latency = { calls: [...LATENCY_BUCKETS_SECONDS.map(() => 0), 0], sumSeconds: 0 }
      this.#latencies.set(method, latency)
    }
    let bucket = 0
    while (seconds > (LATENCY_BUCKETS_SECONDS[bucket] ?? Infinity)) bucket++
    latency.calls[bucket] = (latency.calls[bucket] ?? 0) + 1
    latency.sumSeconds += seconds
  }
}

const DURATION = 'pollux_call_duration_seconds'

function head(name: string, type: string, help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]
}

/** Buckets are cumulative: each counts the calls up to its bound. */
function histogramLines(method: string, { calls, sumSeconds }: Latency): string[] {
  let total = 0
  const buckets = calls.map((count, place) => {
    total += count
    return `${DURATION}_bucket{le="${LATENCY_BUCKETS_SECONDS[place] ?? '+Inf'}",method="${method}"} ${total}`
  })
  return [
    ...buckets,
    `${DURATION}_sum{method="${method}"} ${sumSeconds}`,
    `${DURATION}_count{method="${method}"} ${total}`,
  ]
}
