/** A request that needs a fresh proof waits here until the person has given it, or would not. */

let waiting: ((isProven: boolean) => void)[] = []
const listeners = new Set<() => void>()

/** Resolves with whether it was proven afresh who is signed in. Requests that ask meanwhile get the same answer. */
export function askForProof(): Promise<boolean> {
  return new Promise(resolve => {
    waiting = [...waiting, resolve]
    tell()
  })
}

export function answerProof(isProven: boolean): void {
  const answered = waiting
  waiting = []
  for (const resolve of answered) resolve(isProven)
  tell()
}

export function isProofAsked(): boolean {
  return waiting.length > 0
}

export function onProof(listener: () => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

function tell(): void {
  for (const listener of listeners) listener()
}
