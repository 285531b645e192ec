/** Short news at the edge of the screen, read out by screen readers. Errors that need an answer are notices instead. */
import { useSyncExternalStore } from 'react'
import { Button } from './button.tsx'

interface Toast {
  readonly text: string
  /** A way back, for as long as the toast stands. */
  readonly undo?: () => void
}

interface Standing extends Toast {
  readonly id: number
}

const STANDS_MS = 10_000
const TOASTS_MAX = 3

let standing: readonly Standing[] = []
let lastId = 0
const listeners = new Set<() => void>()

export function addToast(toast: Toast): void {
  const id = ++lastId
  show([...standing, { ...toast, id }].slice(-TOASTS_MAX))
  setTimeout(() => removeToast(id), STANDS_MS)
}

function removeToast(id: number): void {
  show(standing.filter(toast => toast.id !== id))
}

function show(toasts: readonly Standing[]): void {
  standing = toasts
  for (const listener of listeners) listener()
}

export function Toasts() {
  const toasts = useSyncExternalStore(
    listener => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    () => standing,
  )
  return (
    <div className="toasts" role="status">
      {toasts.map(({ id, text, undo }) => (
        <div key={id} className="toast">
          <span>{text}</span>
          {undo !== undefined && (
            <Button
              onPress={() => {
                removeToast(id)
                undo()
              }}
            >
              Undo
            </Button>
          )}
        </div>
      ))}
    </div>
  )
}
