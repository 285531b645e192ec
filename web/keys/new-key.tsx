import { useQuery } from '@tanstack/react-query'
import { Download } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useBlocker } from 'react-router'
import { type KeyPlace, keyPath } from '../paths.ts'
import { projectsQuery, serverQuery } from '../queries.ts'
import { Button, ButtonLink } from '../ui/button.tsx'
import { CodeTabs } from '../ui/code-tabs.tsx'
import { CopyTextButton } from '../ui/copy-button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { download } from '../ui/download.ts'
import { Notice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import type { KeyDraft } from './draft.ts'
import { firstCallOf } from './first-call.ts'
import { callSnippets, dotenv, environmentSnippets } from './quick-start.ts'
import { RunIt } from './run-it.tsx'

interface NewKeyProps {
  readonly place: KeyPlace
  readonly keyString: string
  readonly draft: KeyDraft
}

/** The key, this once, and the first call with it. Leaving without having taken it asks once. */
export function NewKey({ place, keyString, draft }: NewKeyProps) {
  const [isTaken, setTaken] = useState(false)
  const { data: server } = useQuery(serverQuery)
  const { data: projects = [] } = useQuery(projectsQuery)
  const isRecoverable = projects.some(
    ({ projectId, recoverableKeys }) => projectId === place.project && recoverableKeys === true,
  )
  const baseUrl = server?.callOrigin ?? location.origin
  const call = firstCallOf(draft, server?.models ?? [])
  const take = (): void => setTaken(true)
  return (
    <Page title={`${draft.name.trim() || place.key} is ready`}>
      <div className="once">
        <Notice>
          <h2>Take the key now</h2>
          <p>
            {isRecoverable
              ? 'Its project keeps it sealed: who may, reads it again with Show key in its menu, or with pollux keys reveal.'
              : 'It is stored as a digest only, so nobody can show it again. If it gets lost, make another.'}
          </p>
        </Notice>
        <section className="panel" aria-label="The key">
          <code className="secret__text" data-testid="key-string">
            {keyString}
          </code>
          <div className="actions">
            <CopyTextButton text={keyString} label="Copy key" onCopied={take} />
            <Button
              onPress={() => {
                download('.env', dotenv(keyString, baseUrl))
                take()
              }}
            >
              <Download aria-hidden />
              Download .env
            </Button>
            <ButtonLink to={keyPath(place)}>Go to the key</ButtonLink>
          </div>
        </section>
        <section className="panel">
          <h2>Set it where the application runs</h2>
          <CodeTabs label="Environment" snippets={environmentSnippets(keyString, baseUrl)} onCopied={take} />
        </section>
        <section className="panel">
          <h2>Make a call</h2>
          {call === null ? (
            <p className="quiet">
              The key may call no model with GenerateContent or EmbedContent that is known here, so there is
              nothing to try it with.
            </p>
          ) : (
            <>
              <CodeTabs label="Languages" snippets={callSnippets(call)} />
              <RunIt place={place} keyString={keyString} baseUrl={baseUrl} call={call} />
            </>
          )}
        </section>
      </div>
      <LeaveQuestion isAsked={!isTaken} />
    </Page>
  )
}

function LeaveQuestion({ isAsked }: { readonly isAsked: boolean }) {
  const blocker = useBlocker(isAsked)
  useEffect(() => {
    if (!isAsked) return undefined
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault()
    addEventListener('beforeunload', ask)
    return () => removeEventListener('beforeunload', ask)
  }, [isAsked])
  if (blocker.state !== 'blocked') return null
  return (
    <Dialog title="Leave without the key?" onClose={() => blocker.reset()}>
      <p>It was not copied, and cannot be shown again.</p>
      <div className="actions">
        <Button onPress={() => blocker.reset()} look="first">
          Stay
        </Button>
        <Button onPress={() => blocker.proceed()}>Leave without it</Button>
      </div>
    </Dialog>
  )
}
