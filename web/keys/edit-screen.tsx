import { useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useState } from 'react'
import { useNavigate, useParams } from 'react-router'
import { type KeyPlace, keyPath } from '../paths.ts'
import { type KeyJson, keyQuery, serverQuery } from '../queries.ts'
import { useAttempt } from '../door/attempt.ts'
import { Button, ButtonLink } from '../ui/button.tsx'
import { type Held, HeldForm } from '../ui/held-form.tsx'
import { ErrorNotice, Notice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { addToast } from '../ui/toast.tsx'
import { useKeyChanges } from './changes.ts'
import { type KeyDraft, problemsOf } from './draft.ts'
import { AccessFields, ClientFields, ExpiryFields, NameFields } from './key-form.tsx'
import { canEditMethods, draftOf, patchOf } from './patch.ts'
import './form.css'

/** Edit restrictions: the form of Create key over a key that there is. */
export function EditScreen() {
  const { project = '', key: keyId = '' } = useParams()
  const place = { project, key: keyId }
  const { data: key, error } = useQuery(keyQuery(place))
  if (error !== null) return <ErrorNotice title="The key could not be read" error={error} />
  if (key === undefined) return <div className="waiting" />
  return (
    <Page title={`Edit ${key.displayName ?? place.key}`} about="What is saved holds from the next call on.">
      <HeldForm what="The key" stored={key}>
        {held => <Form place={place} {...held} />}
      </HeldForm>
    </Page>
  )
}

interface FormProps extends Held<KeyJson> {
  readonly place: KeyPlace
}

function Form({ place, base, stale, onTyped }: FormProps) {
  const navigate = useNavigate()
  const { data: server } = useQuery(serverQuery)
  const before = useMemo(() => draftOf(base, place.project), [base, place.project])
  const [draft, setDraft] = useState(before)
  const { error, isWorking, attempt } = useAttempt()
  const changes = useKeyChanges(place)
  const problems = problemsOf(draft, Date.now())
  const patch = patchOf(base, before, draft)
  const isChanged = Object.keys(patch).length > 0
  useEffect(() => onTyped(isChanged), [onTyped, isChanged])
  const isReady =
    isChanged &&
    stale === null &&
    !isWorking &&
    Object.entries(problems).every(([name, text]) => text === null || !touched(name))
  const part = {
    draft,
    problems,
    onChange: (change: Partial<KeyDraft>) => setDraft(now => ({ ...now, ...change })),
  }
  const save = async (): Promise<void> => {
    await changes.update({ ...patch, etag: base.etag })
    onTyped(false)
    addToast({ text: 'Saved. It holds from the next call on.' })
    await navigate(keyPath(place))
  }
  /** An expiry in the past is wrong only for who sets it. */
  function touched(name: string): boolean {
    return name !== 'expiry' || draft.expireTime !== before.expireTime || draft.expiry !== before.expiry
  }
  return (
    <form
      className="form__parts"
      onSubmit={event => {
        event.preventDefault()
        if (isReady) attempt(save)
      }}
    >
      <section className="panel">
        <h2>Name</h2>
        <NameFields {...part} />
      </section>
      <section className="panel">
        <h2>Restrictions</h2>
        <ClientFields {...part} ownAddress={server?.clientAddress ?? null} />
        {!canEditMethods(base) && (
          <Notice>
            <p>
              The key names methods or services in a way this form cannot show. They stay as they are; change
              them with <code>pollux keys update --api-target</code>.
            </p>
          </Notice>
        )}
        <AccessFields {...part} models={server?.models ?? []} hasMethods={canEditMethods(base)} />
        {base.allowedModels?.length === 0 && <Notice>The key may call no model. Name one to let it.</Notice>}
      </section>
      <section className="panel">
        <h2>Expiry</h2>
        <ExpiryFields {...part} />
      </section>
      {error !== null && stale === null && <ErrorNotice title="Nothing was saved" error={error} />}
      {!isWorking && stale}
      <div className="actions">
        <Button type="submit" look="first" isDisabled={!isReady}>
          Save
        </Button>
        <ButtonLink to={keyPath(place)}>Cancel</ButtonLink>
      </div>
    </form>
  )
}
