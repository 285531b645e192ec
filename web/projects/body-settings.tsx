import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Link } from 'react-router'
import { BODIES_V1 } from '../../src/contract/bodies.v1.ts'
import { useAttempt } from '../door/attempt.ts'
import { useRights } from '../members/rights.ts'
import { Why } from '../members/why.tsx'
import { PATHS } from '../paths.ts'
import { client } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { SelectField } from '../ui/field.tsx'
import { ErrorNotice, Notice } from '../ui/notice.tsx'
import { addToast } from '../ui/toast.tsx'
import { bodySettingsQuery } from './body-queries.ts'
import { retentionOptions, retentionText } from './retention.ts'

/** Whether request and reply of each call are kept. A form of its own, as it takes another right than the others. */
export function BodySettings({ project }: { readonly project: string }) {
  const { data, error } = useQuery(bodySettingsQuery(project))
  if (error !== null) return <ErrorNotice title="Whether bodies are kept could not be read" error={error} />
  if (data === undefined) return <div className="waiting" />
  const now = data.retentionHours ?? null
  return <Retention key={now} project={project} now={now} />
}

function Retention({ project, now }: { readonly project: string; readonly now: number | null }) {
  const [value, setValue] = useState(now === null ? '' : String(now))
  const why = useRights(project).whyNot('pollux.bodySettings.update')
  const { error, isWorking, attempt } = useAttempt()
  const queries = useQueryClient()
  const chosen = value === '' ? null : Number(value)
  const save = async (): Promise<void> => {
    const input = { params: { project }, query: {}, body: { retentionHours: chosen } }
    const saved = await client.call(BODIES_V1.updateBodySettings, input)
    addToast({
      text:
        chosen === null
          ? 'Saved. Those that were kept are deleted.'
          : 'Saved. It holds from the next call on.',
    })
    queries.setQueryData(bodySettingsQuery(project).queryKey, saved)
  }
  return (
    <form
      className="project__form project__bodies"
      onSubmit={event => {
        event.preventDefault()
        if (chosen !== now && why === null) attempt(save)
      }}
    >
      <section className="panel">
        <h2>Request and reply of calls</h2>
        <SelectField
          label="Keep what is asked and answered"
          value={value}
          onChange={setValue}
          hint="The first 64 KiB of each, sealed, without keys and media. A call shows them to who may read them."
          options={retentionOptions(now)}
        />
        {chosen !== null && <Warning hours={chosen} />}
        {now !== null && chosen === null && (
          <Notice>This deletes all that are kept, at once and for good.</Notice>
        )}
        {now !== null && chosen !== null && chosen < now && (
          <Notice>This deletes what is older than {retentionText(chosen)}.</Notice>
        )}
        {error !== null && <ErrorNotice title="Nothing was saved" error={error} />}
        <div className="actions">
          <Button type="submit" isDisabled={chosen === now || why !== null || isWorking}>
            Change what is kept
          </Button>
        </div>
        <Why reason={why} />
      </section>
    </form>
  )
}

function Warning({ hours }: { readonly hours: number }) {
  return (
    <Notice>
      <p>
        <strong>Bodies hold whatever people write, personal data included.</strong> Tell those who call, and
        keep them no longer than you need them: each is deleted after {retentionText(hours)}.
      </p>
      <p>
        Whoever holds <code>pollux.calls.getBodies</code> can read them: owners and those with the{' '}
        <Link to={PATHS.roles}>role</Link> Body Viewer. Each look is written to the audit trail.
      </p>
    </Notice>
  )
}
