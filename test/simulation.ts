/**
 * Admission, ledger and recovery of several nodes under faults, in time that the simulation moves: all that happens follows
 * from a seed. Everything that keeps the money is the real thing (simulated-node.ts, simulated-store.ts); what is played
 * are the clock, the network, the upstream and what befalls the nodes.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Budget } from '../src/domain/budget.ts'
import { ApiError } from '../src/domain/error.ts'
import type { Outcome } from '../src/domain/usage.ts'
import type { HeldMoney } from '../src/gateway/ledger.ts'
import { verifyLedger } from '../src/storage/verify.ts'
import { budgetOf } from './budgets.ts'
import { type Random, between, oneOf, seededRandom } from './seeded-random.ts'
import { type PlayedCall, drawAsk, openHold, recordOf } from './simulated-call.ts'
import { SimulatedNode, type Surroundings, Synced } from './simulated-node.ts'
import { type Book, SimulatedStore, unavailable, waitMs } from './simulated-store.ts'
import { type Fault, type Process, SimulatedTime } from './simulated-time.ts'

export interface SimulationOptions {
  /** A rule that is broken on purpose, to see that it is found. */
  readonly broken?: 'journal' | 'worst case' | 'posting' | 'early release'
}

export interface Run {
  readonly seed: number
  /** What broke a promise; null: nothing. */
  readonly violation: string | null
  readonly trace: readonly string[]
  readonly calls: number
  readonly faults: number
  /** How the calls ended, by what their clients were told. */
  readonly told: ReadonlyMap<string, number>
}

const EPOCH_MS = Date.UTC(2026, 10, 12, 18)
/** Longer than anything that has a bound takes: a lease, a wait for money, a slow upstream. */
const RUN_MS_MAX = 90_000
const WORKLOAD_MS = 6_000
/** How long a 402 may rest on what was true before: until a recall, or a look for what is posted no more, is through. */
const OLD_NEWS_MS = 1_500
const QUIET_LOOK_MS = 250
/** What comes every other moment, and is in the trace only where it breaks. */
const QUIET_REQUESTS: ReadonlySet<string> = new Set(['look', 'renew', 'resolve'])

/** What can befall the nodes of a run. */
const FAULTS = ['kill', 'reset', 'loss', 'freeze', 'long freeze', 'cut off', 'flaky'] as const

type FaultKind = (typeof FAULTS)[number]

interface Call extends PlayedCall {
  readonly place: Place
}

/** Where a node lives: what is there outlives its processes. */
interface Place {
  readonly number: number
  nodeId: string
  folder: string
  synced: Synced
  process: Process
  node: SimulatedNode | null
  cutOffUntilMs: number
  losses: number
}

let opened: Promise<SimulatedStore> | null = null

/** Runs the world of a seed until nothing moves any more, or a promise is broken. */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Run> {
  const store = await (opened ??= SimulatedStore.open(EPOCH_MS))
  const world = new World(seed, store, options)
  const uninstall = world.time.install()
  // Ids of allotments: whatever is sorted by them comes in the same order again.
  const ids = seededRandom(seed ^ 0x5bd1e995)
  const hex = (): string =>
    Math.floor(ids() * 2 ** 32)
      .toString(16)
      .padStart(8, '0')
  const { crypto } = globalThis
  Object.defineProperty(crypto, 'randomUUID', { value: () => `${hex()}-${hex()}`, configurable: true })
  try {
    return await world.run()
  } finally {
    uninstall()
    Reflect.deleteProperty(crypto, 'randomUUID')
    world.clear()
  }
}

class World implements Surroundings {
  readonly time = new SimulatedTime(EPOCH_MS)
  readonly store: SimulatedStore
  readonly #seed: number
  readonly #random: Random
  readonly #options: SimulationOptions
  readonly #root: string
  readonly #trace: string[] = []
  readonly #calls: Call[] = []
  readonly #places: Place[] = []
  readonly #nodes: SimulatedNode[] = []
  readonly #billed = new Map<number, number>()
  readonly #postedSince = new Map<string, { readonly atMs: number; readonly posted: number }[]>()
  readonly #kinds: readonly FaultKind[]
  #callsLeft = 0
  #faultsLeft = 0
  #faultsDone = 0
  #violation: string | null = null

  constructor(seed: number, store: SimulatedStore, options: SimulationOptions) {
    this.#seed = seed
    this.#random = seededRandom(seed)
    this.store = store
    this.#options = options
    this.#root = mkdtempSync(join(tmpdir(), 'pollux-simulation-'))
    store.begin(this.time, seededRandom(seed ^ 0x9e3779b9))
    const count = oneOf(this.#random, [0, 1, 1, 2, 3])
    this.#kinds = Array.from({ length: count }, () => oneOf(this.#random, FAULTS))
  }

  async run(): Promise<Run> {
    this.#settle()
    while (this.#violation === null && (await this.time.step())) {
      this.#checkNow()
      if (this.#isQuiet()) break
      if (this.time.nowMs > RUN_MS_MAX)
        this.#fail(`something is still held or waited for:${this.#leftovers()}`)
    }
    if (this.#violation === null) await this.#checkEnd()
    const told = new Map<string, number>()
    for (const call of this.#calls) {
      const what = call.told ?? 'nothing'
      told.set(what, (told.get(what) ?? 0) + 1)
    }
    return {
      seed: this.#seed,
      violation: this.#violation,
      trace: this.#trace,
      calls: this.#calls.length,
      faults: this.#faultsDone,
      told,
    }
  }

  clear(): void {
    for (const { process } of this.#places) process.state = 'dead'
    rmSync(this.#root, { recursive: true, force: true })
    // Only so that their files are closed.
    for (const { journal } of this.#nodes) journal.close()
  }

  request<Result>(process: Process, name: string, work: () => Promise<Result>): Promise<Result> {
    const fault: Fault = { kind: this.#drawFault() }
    const { kind } = fault
    return new Promise((resolve, reject) => {
      const answer = (end: () => void): void => this.time.after(this.#travelMs(), process, end)
      this.time.after(this.#travelMs(), null, () => {
        // What a process had sent when it died may arrive all the same.
        if (process.state === 'dead' && this.#random() < 0.5) return
        if (this.#placeOf(process).cutOffUntilMs > this.time.nowMs) {
          answer(() => reject(unavailable()))
          return
        }
        if (kind !== 'none' || !QUIET_REQUESTS.has(name))
          this.#note(process, `${name}${kind === 'none' ? '' : `, ${kind}`}`)
        void this.time.as(null, work, fault).then(
          result =>
            answer(() => {
              if (fault.kind === 'lost') reject(unavailable())
              else resolve(result)
            }),
          error => answer(() => reject(error)),
        )
      })
    })
  }

  tell(process: Process, run: () => void): void {
    this.time.after(0, process, run)
  }

  /** Makes the budgets, the nodes, their work and what befalls them. */
  #settle(): void {
    const random = this.#random
    const nodes = between(random, 1, 3)
    const organization = this.#budget('organization', '', between(random, 600, 4_000))
    const projects = Array.from({ length: between(random, 1, 2) }, (_, index) =>
      this.#budget(`project-${index}`, `${index + 1}`, between(random, 300, 2_500)),
    )
    const paths = [[organization], ...projects.map(project => [project, organization])]
    for (let number = 0; number < nodes; number += 1) {
      const place = this.#newPlace(number)
      this.#places.push(place)
      this.#start(place)
    }
    this.#callsLeft = between(random, 5, 16)
    for (let index = 0; index < this.#callsLeft; index += 1) {
      const path = paths[between(random, 0, paths.length - 1)] ?? []
      const place = this.#places[between(random, 0, nodes - 1)]
      const ask = drawAsk(random)
      this.time.after(100 + random() * WORKLOAD_MS, null, () => {
        this.#callsLeft -= 1
        if (place !== undefined) this.#begin({ id: `call-${index}`, path, ask, place })
      })
    }
    for (const kind of this.#kinds) {
      const place = this.#places[between(random, 0, nodes - 1)]
      if (place === undefined) continue
      this.#faultsLeft += 1
      this.time.after(200 + random() * (WORKLOAD_MS + 2_000), null, () => this.#befall(place, kind))
    }
  }

  #budget(uid: string, projectNumber: string, capNanos: number): Budget {
    this.store.addBudget(uid, projectNumber, capNanos)
    this.#trace.push(`budget ${uid} of ${capNanos}`)
    if (projectNumber !== '') return budgetOf({ uid, projectNumber, capNanos })
    return budgetOf({ uid, scope: 'organization', projectNumber: null, capNanos })
  }

  #newPlace(number: number): Place {
    const nodeId = `node-${number}`
    return {
      number,
      nodeId,
      folder: join(this.#root, nodeId),
      synced: new Synced(),
      process: { name: nodeId, state: 'running', missed: [] },
      node: null,
      cutOffUntilMs: 0,
      losses: 0,
    }
  }

  #start(place: Place): void {
    const { process } = place
    void this.time.as(process, async () => {
      const node = await SimulatedNode.start(process, place, this)
      place.node = node
      this.#nodes.push(node)
      this.#note(process, 'runs')
    })
  }

  #begin(parts: Pick<Call, 'id' | 'path' | 'ask' | 'place'>): void {
    const { place } = parts
    const call: Call = {
      ...parts,
      startedMs: this.time.nowMs,
      state: 'waiting',
      money: null,
      unfitMs: -Infinity,
      told: null,
      billed: 0,
    }
    this.#calls.push(call)
    const { node, process } = place
    if (node === null || process.state === 'dead') {
      this.#end(call, 'refused')
      return
    }
    const { worstNanos, floorNanos } = call.ask
    this.#note(process, `${call.id} on ${call.path[0]?.uid}, ${floorNanos} to ${worstNanos}`)
    this.time.after(0, process, () => void this.#work(call, node))
  }

  /** One call as the gateway makes it (gateway/admit.ts, gateway/settle.ts). */
  async #work(call: Call, node: SimulatedNode): Promise<void> {
    const { ledger, journal } = node
    let money: HeldMoney
    try {
      if (!node.queue.isFlowing) throw unavailable()
      money = await ledger.hold(call.path, call.ask)
      call.state = 'held'
      call.money = money
      this.#note(node.process, `${call.id} holds ${money.nanos}`)
      if (this.#options.broken !== 'journal') await journal.append(openHold(call, money, EPOCH_MS))
      if (!ledger.isSpendable(money)) {
        journal.settled(call.id)
        ledger.release(money, 0)
        throw unavailable()
      }
    } catch (error) {
      this.#refused(call, error)
      return
    }
    const { outcome, costNanos } = await this.#send(call, node, money)
    const postedNanos = outcome === 'estimated' ? money.nanos : costNanos
    const record = recordOf(openHold(call, money, EPOCH_MS), money, { outcome, costNanos: postedNanos })
    const charges = this.#options.broken === 'posting' ? [] : ledger.charges(money, postedNanos)
    const release = (): void => ledger.release(money, postedNanos)
    if (this.#options.broken === 'early release') release()
    try {
      await node.queue.append(record, charges, this.#options.broken === 'early release' ? () => {} : release)
    } catch {
      this.#end(call, 'unknown')
      return
    }
    this.#end(call, outcome)
    const written = this.store.recordsOf(call.id)
    if (written.length !== 1 || written[0]?.posted !== postedNanos)
      this.#fail(`${call.id} was acknowledged and has the records ${JSON.stringify(written)}`)
  }

  /** What the upstream does with it. It bills what it got, whether or not anybody hears of it. */
  #send(
    call: Call,
    { process }: SimulatedNode,
    money: HeldMoney,
  ): Promise<{ readonly outcome: Outcome; readonly costNanos: number }> {
    const random = this.#random
    const fate = random()
    const part = random() < 0.4 ? 1 : random()
    const bound = this.#options.broken === 'worst case' ? money.nanos * 2 : money.nanos
    const tookMs = random() < 0.2 ? waitMs(random, 500, 8_000) : waitMs(random, 20, 600)
    return new Promise(resolve => {
      this.time.after(this.#travelMs(), null, () => {
        const costNanos = fate < 0.1 ? 0 : Math.floor(bound * part)
        call.billed = costNanos
        for (const { rowId } of money.rows)
          this.#billed.set(rowId, (this.#billed.get(rowId) ?? 0) + costNanos)
        const outcome = fate < 0.1 ? 'void' : fate < 0.2 ? 'estimated' : 'posted'
        this.#note(process, `${call.id} is billed ${costNanos}, ${outcome}`)
        this.time.after(tookMs, process, () => resolve({ outcome, costNanos }))
      })
    })
  }

  #refused(call: Call, error: unknown): void {
    if (!(error instanceof ApiError)) {
      this.#fail(`${call.id} failed: ${String(error)}`)
      return
    }
    const { nowMs } = this.time
    this.#end(call, error.reason)
    if (error.reason === 'BUDGET_EXHAUSTED' && !call.path.some(({ uid }) => this.#wasSpent(uid, call)))
      this.#fail(`${call.id} was refused with 402 and fitted`)
    const isCalm = this.#kinds.length === 0
    if (error.reason === 'SPEND_HELD' && isCalm && nowMs - call.unfitMs > OLD_NEWS_MS)
      this.#fail(`${call.id} was refused for what is held and fitted`)
    if (error.reason === 'STORAGE_UNAVAILABLE' && isCalm) this.#fail(`${call.id} was refused without a fault`)
  }

  /** Whether, lately, what was posted and the floor of the call did not fit. */
  #wasSpent(budgetUid: string, { path, ask }: Call): boolean {
    const capNanos = path.find(({ uid }) => uid === budgetUid)?.capNanos ?? 0
    const sinceMs = this.time.nowMs - OLD_NEWS_MS
    const known = this.#postedSince.get(budgetUid) ?? []
    return known.some(
      ({ posted }, index) =>
        posted + ask.floorNanos > capNanos && (known[index + 1]?.atMs ?? Infinity) >= sinceMs,
    )
  }

  #end(call: Call, told: string): void {
    call.state = 'over'
    call.told = told
    this.#note(call.place.process, `${call.id} ends: ${told}`)
  }

  #befall(place: Place, kind: FaultKind): void {
    const random = this.#random
    const { process } = place
    const done = (afterMs: number, run: () => void): void =>
      this.time.after(afterMs, null, () => {
        this.#faultsLeft -= 1
        run()
      })
    if (process.state !== 'running') {
      done(0, () => {})
      return
    }
    this.#faultsDone += 1
    this.#note(process, kind)
    switch (kind) {
      case 'kill':
      case 'reset':
      case 'loss':
        this.#kill(place)
        if (kind === 'reset') place.synced.cut(place.folder, random())
        if (kind === 'loss') this.#lose(place)
        done(between(random, 600, 14_000), () => {
          place.process = { name: place.nodeId, state: 'running', missed: [] }
          this.#start(place)
        })
        break
      case 'freeze':
      case 'long freeze':
        process.state = 'frozen'
        done(kind === 'freeze' ? between(random, 50, 4_000) : between(random, 8_000, 16_000), () => {
          this.#note(process, 'goes on')
          this.time.thaw(process)
        })
        break
      case 'cut off': {
        const forMs = between(random, 300, 14_000)
        place.cutOffUntilMs = this.time.nowMs + forMs
        done(forMs, () => this.#note(process, 'is connected'))
        break
      }
      case 'flaky':
        this.#isFlaky = true
        done(between(random, 500, 8_000), () => (this.#isFlaky = false))
        break
    }
  }

  #isFlaky = false

  #kill(place: Place): void {
    place.process.state = 'dead'
    place.node = null
    for (const call of this.#calls) if (call.place === place) call.state = 'over'
  }

  /** The machine is gone; another one takes its place. */
  #lose(place: Place): void {
    rmSync(place.folder, { recursive: true, force: true })
    place.losses += 1
    place.nodeId = `node-${place.number}-${place.losses}`
    place.folder = join(this.#root, place.nodeId)
    place.synced = new Synced()
  }

  #drawFault(): Fault['kind'] {
    if (!this.#isFlaky) return 'none'
    const drawn = this.#random()
    return drawn < 0.15 ? 'lost' : drawn < 0.3 ? 'refused' : 'none'
  }

  #travelMs(): number {
    const random = this.#random
    return random() < 0.05 ? waitMs(random, 20, 250) : waitMs(random, 0, 12)
  }

  #placeOf(process: Process): Pick<Place, 'cutOffUntilMs'> {
    return this.#places.find(place => place.process === process) ?? { cutOffUntilMs: 0 }
  }

  #note(process: Process, what: string): void {
    this.#trace.push(`${this.time.nowMs.toFixed(3).padStart(10)} ${process.name.padEnd(8)} ${what}`)
  }

  #fail(what: string): void {
    this.#violation ??= `at ${this.time.nowMs.toFixed(3)} ms: ${what}`
  }

  /** What holds at every moment. */
  #checkNow(): void {
    const books = this.store.books()
    if (books === null) return
    for (const { id, budgetUid, cap, posted, allotted } of books) {
      if (posted + allotted > cap)
        this.#fail(`${budgetUid} has ${posted} posted and ${allotted} allotted of ${cap}`)
      const billed = this.#billed.get(id) ?? 0
      if (billed > posted + allotted)
        this.#fail(`${budgetUid} was billed ${billed}; ${posted} are posted and ${allotted} allotted`)
      this.#notePosted(budgetUid, posted)
    }
    for (const call of this.#calls) {
      if (call.state === 'held') this.#checkHeld(call)
      if (call.state === 'waiting' && !this.#fits(call, books)) call.unfitMs = this.time.nowMs
    }
  }

  #notePosted(budgetUid: string, posted: number): void {
    let known = this.#postedSince.get(budgetUid)
    if (known === undefined) this.#postedSince.set(budgetUid, (known = []))
    if (known.at(-1)?.posted !== posted) known.push({ atMs: this.time.nowMs, posted })
  }

  /** A hold is never more than the share it is taken from. */
  #checkHeld({ id, money }: Call): void {
    for (const row of money?.rows ?? []) {
      if (row.held < 0 || (!row.isLost && row.free < 0))
        this.#fail(`${id} is held on a share of ${row.granted}: held ${row.held}, settled ${row.settled}`)
    }
  }

  /** Whether a call fits beside all that is held and all who came before. */
  #fits(call: Call, books: readonly Book[]): boolean {
    return call.path.every(({ uid, capNanos }) => {
      let taken = books.find(({ budgetUid }) => budgetUid === uid)?.posted ?? 0
      for (const other of this.#calls) {
        if (other === call || other.state === 'over' || !other.path.some(budget => budget.uid === uid))
          continue
        if (other.state === 'held') taken += other.money?.nanos ?? 0
        else if (other.startedMs <= call.startedMs) taken += other.ask.worstNanos
      }
      return taken + call.ask.worstNanos <= capNanos
    })
  }

  #quietLookedMs = 0

  #isQuiet(): boolean {
    if (this.#callsLeft > 0 || this.#faultsLeft > 0) return false
    if (this.time.nowMs - this.#quietLookedMs < QUIET_LOOK_MS) return false
    this.#quietLookedMs = this.time.nowMs
    return this.#leftovers() === ''
  }

  /** What is not at rest yet. */
  #leftovers(): string {
    const left = [
      ...this.#calls.filter(({ state }) => state !== 'over').map(({ id, state }) => `${id} is ${state}`),
      ...this.#places.filter(({ node }) => node === null).map(({ nodeId }) => `${nodeId} does not run`),
    ]
    const books = this.store.books()
    if (books === null || books.some(({ allotted }) => allotted !== 0) || this.store.openAllotments() > 0)
      left.push(`the books are ${JSON.stringify(books)}`)
    return left.map(what => ` ${what};`).join('')
  }

  /** What holds when everything is at rest. */
  async #checkEnd(): Promise<void> {
    const verifying = this.store.engine.db.transaction().execute(trx => verifyLedger(trx))
    // The nodes may be in the middle of a look, on the same connection.
    const untilMs = this.time.nowMs + QUIET_LOOK_MS
    while (this.time.nowMs < untilMs && (await this.time.step())) continue
    const { drifts } = await verifying
    if (drifts.length > 0) this.#fail(`the books differ from their records: ${JSON.stringify(drifts)}`)
    for (const call of this.#calls) {
      const written = this.store.recordsOf(call.id)
      const [record] = written
      if (written.length > 1) this.#fail(`${call.id} has ${written.length} records`)
      if (record !== undefined && record.posted < call.billed)
        this.#fail(`${call.id} was billed ${call.billed} and has ${record.posted} posted`)
      if (record === undefined && (call.told === 'posted' || call.told === 'estimated'))
        this.#fail(`${call.id} was acknowledged and has no record`)
    }
  }
}
