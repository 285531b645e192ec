import { toApiError } from '../http/render.ts'
import type { ApiError } from '../domain/error.ts'
import type { Call, Grant, KeyEntry } from './call.ts'

/** A call that was let in and is not answered yet. */
export interface OpenCall {
  readonly call: Call
  readonly grant: Grant
  /** The key as it was when it was last found to allow the call: at admission, or at the last change since. */
  entry: KeyEntry
  /** The status the client was given, or 499 when it left before it was; null while it waits. */
  readonly given: () => number | null
  /** Ends the client's side at once with this error. The upstream's side goes on until its usage is known. */
  cut: (error: ApiError) => void
}

/** Calls under way by key, so that a change to a key reaches what it let in. */
export class OpenCalls {
  readonly #byKey = new Map<string, Set<OpenCall>>()
  #count = 0

  get count(): number {
    return this.#count
  }

  add(open: OpenCall): void {
    const { uid } = open.grant.entry.key
    let calls = this.#byKey.get(uid)
    if (calls === undefined) this.#byKey.set(uid, (calls = new Set()))
    calls.add(open)
    this.#count++
  }

  remove(open: OpenCall): void {
    const { uid } = open.grant.entry.key
    const calls = this.#byKey.get(uid)
    if (calls === undefined || !calls.delete(open)) return
    this.#count--
    if (calls.size === 0) this.#byKey.delete(uid)
  }

  /** Runs `check` for every call of the keys that `concerns` picks, and cuts those for which it throws. */
  async recheck(
    concerns: (entry: KeyEntry) => boolean,
    check: (open: OpenCall) => Promise<void> | void,
  ): Promise<void> {
    for (const calls of this.#byKey.values()) {
      const [first] = calls
      if (first === undefined || !concerns(first.entry)) continue
      for (const open of calls) {
        try {
          await check(open)
        } catch (thrown) {
          open.cut(toApiError(thrown))
        }
      }
    }
  }
}
