/** Carries prices that an operator sets to where calls are charged. */
import type { PriceBook } from './domain/price-book.ts'
import type { Storage } from './storage/storage.ts'

const RETRY_MS = 1_000

/**
 * Brings the book up to date, now and with every change: with one made here before it is acknowledged, with one made by
 * another process as soon as it is noticed. Calls never wait for it. Rejects as `storage.prices.list` does; resolves to the
 * function that stops it.
 */
export async function watchPrices(
  storage: Pick<Storage, 'prices' | 'onChange' | 'hasPeers'>,
  book: PriceBook,
  onFailure: (error: unknown) => void,
): Promise<() => void> {
  let asked = 0
  let isReading = false
  let isStopped = false
  const read = async (): Promise<void> => {
    // What was read before the latest change may lack it: then it is read again.
    let begun: number
    do {
      begun = asked
      const overrides = await storage.prices.list()
      if (begun === asked) book.override(overrides)
    } while (begun !== asked)
  }
  const readAgain = async (): Promise<void> => {
    asked++
    if (isReading) return
    isReading = true
    try {
      await read()
    } catch (error) {
      if (isStopped) return
      onFailure(error)
      setTimeout(() => void readAgain(), RETRY_MS).unref()
    } finally {
      isReading = false
    }
  }
  storage.onChange(change => {
    if (change.kind === 'prices') {
      asked++
      try {
        book.override(change.overrides)
      } catch (error) {
        onFailure(error)
      }
    }
    // A change made here may not have seen one that another process made at the same time.
    if (change.kind === 'all' || (change.kind === 'prices' && storage.hasPeers)) void readAgain()
  })
  await read()
  return () => {
    isStopped = true
  }
}
