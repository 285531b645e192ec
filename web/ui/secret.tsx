import type { ReactNode } from 'react'
import { Button } from './button.tsx'
import { CopyTextButton } from './copy-button.tsx'
import { Notice } from './notice.tsx'

interface SecretProps {
  readonly title: string
  /** What it opens, and for how long. */
  readonly about: ReactNode
  readonly secret: string
  readonly copyLabel: string
  readonly onDone: () => void
}

/** What can be seen this once: a link, a token. It stays until somebody says that they have it. */
export function Secret({ title, about, secret, copyLabel, onDone }: SecretProps) {
  return (
    <div className="secret" role="group" aria-label={title}>
      <Notice>
        <h3>{title}</h3>
        <p>{about}</p>
      </Notice>
      <code className="secret__text" data-testid="secret">
        {secret}
      </code>
      <div className="actions">
        <CopyTextButton text={secret} label={copyLabel} />
        <Button onPress={onDone}>I have it</Button>
      </div>
    </div>
  )
}
