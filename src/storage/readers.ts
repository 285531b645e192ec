/** The threads that read a SQLite file, each over a connection of its own: commits go on meanwhile. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { ReadingName, Readings } from './readings.ts'

/** What a thread is started with. */
export interface ReaderOrder<Name extends ReadingName = ReadingName> {
  readonly path: string
  readonly name: Name
  readonly ask: Readings[Name]['ask']
}

/** The thread was ended before it had an answer; the same may succeed later. */
class ReadingCut extends Error {
  readonly errcode = SQLITE_BUSY
}
const SQLITE_BUSY = 5

export class Readers {
  readonly #path: string
  readonly #threads = new Set<Worker>()

  constructor(path: string) {
    this.#path = path
  }

  /**
   * Asks a thread of its own. As long as it reads, SQLite's log keeps what was committed since: it grows, and shrinks
   * afterwards.
   */
  async read<Name extends ReadingName>(
    name: Name,
    ask: Readings[Name]['ask'],
  ): Promise<Readings[Name]['answer']> {
    const workerData: ReaderOrder<Name> = { path: this.#path, name, ask }
    const thread = new Worker(new URL('./reader-thread.ts', import.meta.url), { name: 'reader', workerData })
    this.#threads.add(thread)
    const ended = once(thread, 'exit').then(() => {
      throw new ReadingCut(`the thread of ${name} was ended`)
    })
    try {
      const [answer] = (await Promise.race([once(thread, 'message'), ended])) as [Readings[Name]['answer']]
      return answer
    } finally {
      this.#threads.delete(thread)
    }
  }

  /** Ends all of them: at once, or as soon as the statement that they are at has ended. */
  end(): void {
    for (const thread of this.#threads) void thread.terminate()
  }
}
