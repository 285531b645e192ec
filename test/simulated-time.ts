/**
 * Time that only a simulation moves. While it is installed, timers and clocks of this process are its own: what is due
 * runs one after the other, in the order of its time, and all that follows from it at once runs before the next.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

/** What can be killed or stand still: its timers, and answers to it, come only while it runs. */
export interface Process {
  readonly name: string
  state: 'running' | 'frozen' | 'dead'
  /** What was due while it stood still. */
  readonly missed: Due[]
}

export interface Due {
  atMs: number
  readonly process: Process | null
  readonly run: () => void
  /** Of an interval; null: once. */
  readonly everyMs: number | null
  isCancelled: boolean
}

/** What comes of a request's first commit: nothing yet, or what was decided for it. */
export interface Fault {
  kind: 'none' | 'refused' | 'lost'
}

interface Context {
  readonly process: Process | null
  readonly fault: Fault | null
}

const realImmediate = globalThis.setImmediate
const NOWHERE: Context = { process: null, fault: null }

export class SimulatedTime {
  readonly #context = new AsyncLocalStorage<Context>()
  readonly #epochMs: number
  #due: Due[] = []
  nowMs = 0

  /** `epochMs` is Date.now() at the start. */
  constructor(epochMs: number) {
    this.#epochMs = epochMs
  }

  get dateMs(): number {
    return Math.floor(this.#epochMs + this.nowMs)
  }

  /** The fault of the request that is being worked on. */
  get fault(): Fault | null {
    return this.#context.getStore()?.fault ?? null
  }

  /** Runs `work`, and what follows from it, as a part of the process. */
  as<Result>(process: Process | null, work: () => Result, fault: Fault | null = null): Result {
    return this.#context.run({ process, fault }, work)
  }

  /** Runs `run` after so long, in the process, if that runs then. */
  after(waitMs: number, process: Process | null, run: () => void): void {
    this.#add({ waitMs, process, run, everyMs: null })
  }

  /** Resolves after so long, whatever becomes of the process that waits. */
  pass(waitMs: number): Promise<void> {
    return new Promise(resolve => this.after(waitMs, null, resolve))
  }

  /** Lets a process that stood still go on: what it missed is due now. */
  thaw(process: Process): void {
    process.state = 'running'
    for (const due of process.missed.splice(0)) this.#put(Object.assign(due, { atMs: this.nowMs }))
  }

  /** Runs what is due next, and all that follows from it. False: nothing is. */
  async step(): Promise<boolean> {
    const due = this.#due.shift()
    if (due === undefined) return false
    this.nowMs = Math.max(this.nowMs, due.atMs)
    const { process, everyMs } = due
    if (due.isCancelled || process?.state === 'dead') return true
    if (process?.state === 'frozen') {
      process.missed.push(due)
      return true
    }
    this.as(process, due.run)
    // The same object, so that its handle still cancels it.
    if (everyMs !== null) this.#put(Object.assign(due, { atMs: this.nowMs + everyMs }))
    await new Promise<void>(resolve => realImmediate(resolve))
    return true
  }

  /** Puts this time in the place of the real one; gives back what undoes that. */
  install(): () => void {
    const real = { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate }
    const realDate = Date.now
    const start = (waitMs: number, run: () => void, everyMs: number | null): unknown => {
      const { process } = this.#context.getStore() ?? NOWHERE
      const due = this.#add({ waitMs, process, run, everyMs })
      const handle = { due, ref: () => handle, unref: () => handle }
      return handle
    }
    const stop = (handle: { readonly due?: Due } | null | undefined): void => {
      if (handle?.due !== undefined) handle.due.isCancelled = true
    }
    const simulated = {
      setTimeout: (run: (...args: unknown[]) => void, waitMs = 0, ...args: unknown[]) =>
        start(Math.max(1, waitMs), () => run(...args), null),
      setInterval: (run: () => void, everyMs = 1) => start(everyMs, run, everyMs),
      setImmediate: (run: (...args: unknown[]) => void, ...args: unknown[]) =>
        start(0, () => run(...args), null),
      clearTimeout: stop,
      clearInterval: stop,
      clearImmediate: stop,
    }
    Object.assign(globalThis, simulated)
    performance.now = () => this.nowMs
    Date.now = () => this.dateMs
    return () => {
      Object.assign(globalThis, real)
      // The real one is that of its prototype.
      Reflect.deleteProperty(performance, 'now')
      Date.now = realDate
      this.#due = []
    }
  }

  #add(order: {
    readonly waitMs: number
    readonly process: Process | null
    readonly run: () => void
    readonly everyMs: number | null
  }): Due {
    const { waitMs, process, run, everyMs } = order
    const atMs = this.nowMs + waitMs
    return this.#put({ atMs, process, run, everyMs, isCancelled: false })
  }

  /** Those of one time run in the order in which they were made. */
  #put(due: Due): Due {
    let place = this.#due.length
    while (place > 0 && (this.#due[place - 1]?.atMs ?? 0) > due.atMs) place -= 1
    this.#due.splice(place, 0, due)
    return due
  }
}
