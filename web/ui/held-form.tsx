import { Fragment, type ReactNode, useCallback, useState } from 'react'
import { Button } from './button.tsx'
import { Notice } from './notice.tsx'

export interface Held<Stored> {
  /** What the form compares with, and whose etag it sends. */
  readonly base: Stored
  /** Shown when somebody else changed it since: nothing is saved before somebody chose. null while nobody did. */
  readonly stale: ReactNode
  /** Told whether something is typed that is not stored. */
  readonly onTyped: (isTyped: boolean) => void
}

interface HeldFormProps<Stored> {
  /** As it was last read. */
  readonly stored: Stored
  /** The beginning of a sentence, e.g. `The key`. */
  readonly what: string
  readonly children: (held: Held<Stored>) => ReactNode
}

/**
 * A form over what others may change meanwhile. It follows them until something is typed; from then on that stays, and whose
 * it shall be is a choice.
 */
export function HeldForm<Stored extends { readonly etag: string }>({
  stored,
  what,
  children,
}: HeldFormProps<Stored>) {
  const [held, setHeld] = useState<{ readonly base: Stored; readonly formKey: string } | null>(null)
  const { base, formKey } = held ?? { base: stored, formKey: stored.etag }
  const onTyped = useCallback(
    (isTyped: boolean) => setHeld(now => (isTyped ? (now ?? { base: stored, formKey: stored.etag }) : null)),
    [stored],
  )
  const stale =
    base.etag === stored.etag ? null : (
      <div role="alert">
        <Notice>
          <p className="notice__title">{what} was changed meanwhile</p>
          <p>What you typed is still here. Saving it replaces what is stored.</p>
          <div className="actions">
            <Button onPress={() => setHeld(null)}>Load what is stored</Button>
            <Button onPress={() => setHeld({ base: stored, formKey })}>Keep mine</Button>
          </div>
        </Notice>
      </div>
    )
  return <Fragment key={formKey}>{children({ base, stale, onTyped })}</Fragment>
}
