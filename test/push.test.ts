/** A change on one of five nodes reaches the others at once, and within a second when nobody can tell them. */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { ceiling } from './ceiling.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { type Pollux, startPollux } from './pollux.ts'
import { socketUrl, startPostgres } from './postgres.ts'
import { startRedis } from './redis.ts'
import { openCall, reasonIn, send } from './traffic.ts'

const NODES = 5
const ROUNDS = 20
/** Five processes, on a machine that may be busy. */
const START_WAIT_MS = 240_000
const CUT_ROUNDS = 5
const PUSHED_WITHIN_MS = 100
const SEEN_WITHIN_MS = 1_000

const postgres = await startPostgres()
const redis = await startRedis()
const missing = 'skip' in postgres ? postgres.skip : 'skip' in redis ? redis.skip : null

interface Nodes {
  readonly all: readonly Pollux[]
  /** How late a good call was sent, on each node and in each round, after the key was disabled on the first node. */
  lateness(rounds: number): Promise<readonly number[]>
}

let projects = 0

async function startNodes(env: Readonly<Record<string, string>>): Promise<Nodes> {
  if ('skip' in postgres) throw new Error(postgres.skip)
  const url = socketUrl(await postgres.url())
  const all: Pollux[] = []
  for (let node = 0; node < NODES; node++) {
    all.push(await startPollux({ env: { POLLUX_DATABASE_URL: url, ...env } }))
  }
  const [first] = all
  if (first === undefined) throw new Error('no node')
  return {
    all,
    async lateness(rounds) {
      const { params, keyString } = await makeKey(first)
      const late: number[] = []
      for (let round = 0; round < rounds; round++) {
        const watched = all.map(node => lastGoodCall(node.origin, keyString))
        await Promise.all(watched.map(({ flowing }) => flowing))
        await delay((round * 37) % 250)
        await first.client.call(POLLUX_V1.disableKey, { params, body: {} })
        const disabledMs = performance.now()
        const lastMs = await Promise.all(watched.map(({ last }) => last))
        late.push(...lastMs.map(lastMs => Math.max(0, lastMs - disabledMs)))
        await first.client.call(POLLUX_V1.enableKey, { params, body: {} })
        await Promise.all(all.map(node => usable(node.origin, keyString)))
      }
      return late.sort((one, other) => one - other)
    },
  }
}

async function makeKey(node: Pollux) {
  projects++
  const project = `pushed-${projects}`
  await node.client.call(POLLUX_V1.createProject, { body: { projectId: project } })
  const query = { keyId: 'subject' }
  const { keyString } = await node.client.call(POLLUX_V1.createKey, { params: { project }, query, body: {} })
  return { params: { project, key: 'subject' }, keyString: keyString ?? '' }
}

const CALL_EVERY_MS = 5
const REFUSALS_WANTED = 3

/** Calls without pause until it is refused for good; `last` is when the last call was sent that went through. */
function lastGoodCall(origin: string, keyString: string) {
  const flowing = Promise.withResolvers<void>()
  const run = async (): Promise<number> => {
    let lastMs = 0
    for (let refusals = 0; refusals < REFUSALS_WANTED;) {
      const { reason, sentMs } = await send(origin, { keyString })
      if (reason === null) lastMs = sentMs
      else refusals++
      if (reason === null) flowing.resolve()
      await delay(CALL_EVERY_MS)
    }
    return lastMs
  }
  return { flowing: flowing.promise, last: run() }
}

async function usable(origin: string, keyString: string): Promise<void> {
  while ((await send(origin, { keyString })).reason !== null) await delay(CALL_EVERY_MS)
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.ceil(sorted.length * share) - 1] ?? NaN
}

/** An open stream on every node ends when its key is disabled on the first. */
async function expectStreamsCut(nodes: Nodes, withinMs: number): Promise<void> {
  const [first] = nodes.all
  if (first === undefined) throw new Error('no node')
  const { params, keyString } = await makeKey(first)
  const options = {
    keyString,
    form: 'sse',
    model: 'sandbox-slow',
    text: 'Tell me of stars in 60 words',
  } as const
  const streams = nodes.all.map(({ origin }) => openCall(origin, options))
  await Promise.all(streams.map(({ begun }) => begun))
  await first.client.call(POLLUX_V1.disableKey, { params, body: {} })
  const disabledMs = performance.now()
  for (const { ended } of streams) {
    const { text, atMs, isWhole } = await ended
    expect(isWhole).toBe(true)
    expect(reasonIn(text.trimEnd().split('\r\n\r\n').at(-1) ?? '')).toBe('API_KEY_INVALID')
    expect(atMs - disabledMs).toBeLessThan(ceiling(withinMs))
  }
}

async function notPushed({ client }: Pollux): Promise<string | undefined> {
  const text = await client.call(POLLUX_V1.getMetrics, {})
  return /^pollux_degraded\{mode="push"\} (\d)/m.exec(text)?.[1]
}

async function eventually(look: () => Promise<boolean>): Promise<void> {
  while (!(await look())) await delay(50)
}

afterAll(async () => {
  if (!('skip' in postgres)) await postgres.stop()
  if (!('skip' in redis)) await redis.stop()
})

describe.skipIf(missing !== null)(`a key disabled on one of ${NODES} nodes, told by Redis`, () => {
  let nodes: Nodes
  let proxy: FaultProxy
  beforeAll(async () => {
    if ('skip' in redis) return
    proxy = await startFaultProxy({ host: '127.0.0.1', port: Number(new URL(redis.url).port) })
    nodes = await startNodes({ POLLUX_REDIS_URL: `redis://127.0.0.1:${proxy.port}` })
  }, START_WAIT_MS)
  afterAll(async () => {
    await Promise.all(nodes.all.map(node => node.stop()))
    await proxy.close()
  })
  const allPushed = (isPushed: boolean) =>
    eventually(async () =>
      (await Promise.all(nodes.all.map(notPushed))).every(gauge => gauge === (isPushed ? '0' : '1')),
    )

  test(`is refused on all of them within ${PUSHED_WITHIN_MS} ms (p99), and its streams end`, async () => {
    await allPushed(true)
    const late = await nodes.lateness(ROUNDS)
    console.log(
      `push up: p50 ${percentile(late, 0.5).toFixed(1)} ms, p99 ${percentile(late, 0.99).toFixed(1)} ms`,
    )
    expect(percentile(late, 0.99)).toBeLessThan(ceiling(PUSHED_WITHIN_MS))
    await expectStreamsCut(nodes, SEEN_WITHIN_MS)
  }, 240_000)

  test('is refused within a second while the connections to Redis lead nowhere, and fast again afterwards', async () => {
    proxy.set({ kind: 'half-open' })
    const late = await nodes.lateness(CUT_ROUNDS)
    console.log(`push half-open: p99 ${percentile(late, 0.99).toFixed(1)} ms`)
    expect(late.at(-1)).toBeLessThan(ceiling(SEEN_WITHIN_MS))
    await allPushed(false)
    await expectStreamsCut(nodes, SEEN_WITHIN_MS + 500)
    proxy.set({ kind: 'none' })
    await allPushed(true)
    const again = await nodes.lateness(CUT_ROUNDS)
    console.log(`push up again: ${again.map(ms => ms.toFixed(0)).join(' ')}`)
    expect(percentile(again, 0.9)).toBeLessThan(ceiling(PUSHED_WITHIN_MS))
  }, 240_000)

  test('is refused within a second while Redis hangs, is gone, and is flushed', async () => {
    if ('skip' in redis) return
    redis.freeze()
    const hanging = await nodes.lateness(CUT_ROUNDS)
    redis.thaw()
    await redis.end()
    const gone = await nodes.lateness(CUT_ROUNDS)
    await allPushed(false)
    await redis.restart()
    await allPushed(true)
    const late = Math.max(...hanging, ...gone)
    console.log(`push stopped: worst ${late.toFixed(1)} ms`)
    expect(late).toBeLessThan(ceiling(SEEN_WITHIN_MS))
    const again = await nodes.lateness(CUT_ROUNDS)
    console.log(`push up again: ${again.map(ms => ms.toFixed(0)).join(' ')}`)
    expect(percentile(again, 0.9)).toBeLessThan(ceiling(PUSHED_WITHIN_MS))
  }, 240_000)
})

describe.skipIf(missing !== null)(`a key disabled on one of ${NODES} nodes, told by PostgreSQL`, () => {
  let nodes: Nodes
  beforeAll(async () => {
    nodes = await startNodes({})
  }, START_WAIT_MS)
  afterAll(() => Promise.all(nodes.all.map(node => node.stop())))

  test(`is refused on all of them within ${PUSHED_WITHIN_MS} ms (p99), and its streams end`, async () => {
    const late = await nodes.lateness(ROUNDS)
    console.log(
      `notify: p50 ${percentile(late, 0.5).toFixed(1)} ms, p99 ${percentile(late, 0.99).toFixed(1)} ms`,
    )
    expect(percentile(late, 0.99)).toBeLessThan(ceiling(PUSHED_WITHIN_MS))
    await expectStreamsCut(nodes, SEEN_WITHIN_MS)
  }, 240_000)
})
