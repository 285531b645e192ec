/** Several processes on one machine behind one port: the primary, which starts them, starts dead ones again, and ends them. */
import cluster, { type Worker } from 'node:cluster'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Config, ConfigError } from './config.ts'
import { mergeMetrics } from './merge-metrics.ts'

/** What a node tells the primary. */
export type FromNode =
  | { readonly kind: 'ready'; readonly banner: string }
  | { readonly kind: 'metrics wanted'; readonly id: number }
  | { readonly kind: 'metrics'; readonly id: number; readonly text: string }

/** What the primary tells a node. */
export type ToNode =
  | { readonly kind: 'stop' }
  | { readonly kind: 'metrics of you'; readonly id: number }
  | { readonly kind: 'metrics of all'; readonly id: number; readonly text: string }

/** Sixteen nodes with twelve connections each are what a PostgreSQL of many is set up for. */
export const NODES_MAX = 16
/** A node that dies is started again after a while that doubles, unless it had run for a minute. */
const RESTART = { firstMs: 250, maxMs: 30_000, forgivenAfterMs: 60_000 }
/** A node that does not answer in time is left out of the metrics. */
const METRICS_WAIT_MS = 1_000

/** The folder of a node's own. The first has the data folder itself, so that a single process and it are the same node. */
export function nodeDirOf(dataDir: string, node: number): string {
  return node === 1 ? dataDir : join(dataDir, `node-${node}`)
}

export interface Nodes {
  /** What the first node prints at its start. */
  readonly banner: string
  /** Lets calls finish, then ends all nodes. */
  stop(): Promise<void>
  /** Ends them at once. */
  kill(): void
}

/** Starts nodes and resolves when all are ready. Rejects when one cannot start: it has said why. */
export async function startNodes(
  count: number,
  config: Config,
  warn: (line: string) => void,
): Promise<Nodes> {
  if (config.database.kind === 'sqlite') {
    throw new ConfigError([
      `--nodes ${count} needs PostgreSQL, but POLLUX_DATABASE_URL is not set: an SQLite database belongs to one process`,
    ])
  }
  if (config.redisUrl === null && count > 1) {
    warn(
      `POLLUX_REDIS_URL is not set, so each of the ${count} nodes counts rates for itself: together they let ${count} times a limit through`,
    )
  }
  if (existsSync(nodeDirOf(config.dataDir, count + 1))) {
    warn(
      `the folder ${nodeDirOf(config.dataDir, count + 1)} is of a node that is not started now; what it had open stays open`,
    )
  }
  const primary = new Primary(warn)
  try {
    // The first one makes what all share: the tables, the first key, the token for the CLI.
    const banner = await primary.start(1)
    await Promise.all(Array.from({ length: count - 1 }, (_, place) => primary.start(place + 2)))
    return { banner, stop: () => primary.stop(), kill: () => primary.kill() }
  } catch (error) {
    await primary.stop()
    throw error
  }
}

/** A node could not be started; what it printed says why. */
export class NodeFailed extends Error {
  readonly exitCode: number

  constructor(node: number, exitCode: number) {
    super(`node ${node} could not be started`)
    this.exitCode = exitCode
  }
}

interface Collection {
  readonly texts: { node: number; text: string }[]
  readonly done: () => void
}

class Primary {
  readonly #warn: (line: string) => void
  readonly #nodes = new Map<number, Worker>()
  readonly #restarts = new Map<number, NodeJS.Timeout>()
  readonly #collections = new Map<number, Collection>()
  #lastId = 0
  #isStopping = false

  constructor(warn: (line: string) => void) {
    this.#warn = warn
    // All nodes accept from one queue. Handed out in turn by the primary, a connection on its way to a node that is killed
    // would be lost without anybody being told (Node's RoundRobinHandle waits for an answer that never comes).
    cluster.schedulingPolicy = cluster.SCHED_NONE
  }

  /** Starts a node; what it prints is given back once it is ready. */
  start(node: number, restartMs = RESTART.firstMs): Promise<string> {
    cluster.setupPrimary({ args: ['start', '--node', String(node)] })
    const worker = cluster.fork()
    const startedMs = performance.now()
    this.#nodes.set(node, worker)
    const ready = Promise.withResolvers<string>()
    let isReady = false
    worker.on('message', (message: FromNode) => {
      if (message.kind === 'ready') {
        isReady = true
        ready.resolve(message.banner)
      } else this.#hear(node, worker, message)
    })
    worker.on('exit', (code, signal) => {
      this.#nodes.delete(node)
      if (!isReady) ready.reject(new NodeFailed(node, code))
      if (this.#isStopping || (!isReady && restartMs === RESTART.firstMs)) return
      const waitMs = performance.now() - startedMs > RESTART.forgivenAfterMs ? RESTART.firstMs : restartMs
      this.#warn(`node ${node} ended (${signal ?? code}) and is started again in ${waitMs} ms`)
      this.#startAgain(node, waitMs)
    })
    return ready.promise
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    for (const timer of this.#restarts.values()) clearTimeout(timer)
    const gone = [...this.#nodes.values()].map(worker => new Promise(resolve => worker.once('exit', resolve)))
    for (const worker of this.#nodes.values()) tell(worker, { kind: 'stop' })
    await Promise.all(gone)
  }

  kill(): void {
    for (const worker of this.#nodes.values()) worker.process.kill('SIGKILL')
  }

  #startAgain(node: number, waitMs: number): void {
    const again = (): void => {
      this.#restarts.delete(node)
      // If it ends before it is ready, its end has seen to the next attempt.
      this.start(node, Math.min(waitMs * 2, RESTART.maxMs)).catch(() => {})
    }
    this.#restarts.set(node, setTimeout(again, waitMs))
  }

  #hear(node: number, worker: Worker, message: Exclude<FromNode, { kind: 'ready' }>): void {
    if (message.kind === 'metrics') {
      const collection = this.#collections.get(message.id)
      collection?.texts.push({ node, text: message.text })
      if (collection?.texts.length === this.#nodes.size) collection.done()
      return
    }
    void this.#collect().then(text => tell(worker, { kind: 'metrics of all', id: message.id, text }))
  }

  async #collect(): Promise<string> {
    this.#lastId += 1
    const id = this.#lastId
    const collected = Promise.withResolvers<void>()
    const texts: Collection['texts'] = []
    this.#collections.set(id, { texts, done: collected.resolve })
    const timer = setTimeout(collected.resolve, METRICS_WAIT_MS)
    for (const worker of this.#nodes.values()) tell(worker, { kind: 'metrics of you', id })
    await collected.promise
    clearTimeout(timer)
    this.#collections.delete(id)
    return mergeMetrics(texts.sort((one, other) => one.node - other.node))
  }
}

/** A node that is about to end hears nothing any more. */
function tell(worker: Worker, message: ToNode): void {
  if (worker.isConnected()) worker.send(message)
}
