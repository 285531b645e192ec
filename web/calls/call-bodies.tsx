import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Link } from 'react-router'
import { BODIES_V1 } from '../../src/contract/bodies.v1.ts'
import type { ResponseOf } from '../../src/contract/endpoint.ts'
import { useAttempt } from '../door/attempt.ts'
import { useRights } from '../members/rights.ts'
import { Why } from '../members/why.tsx'
import { projectPath } from '../paths.ts'
import { bodySettingsQuery } from '../projects/body-queries.ts'
import { retentionText } from '../projects/retention.ts'
import { client } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Time } from '../ui/time.tsx'
import { bodyText } from './body-text.ts'

type Bodies = ResponseOf<typeof BODIES_V1.getCallBodies>

const count = new Intl.NumberFormat('en')

interface CallBodiesProps {
  readonly project: string
  readonly call: string
}

/** What was asked and answered, read when somebody presses for it: each look is an entry of the audit trail. */
export function CallBodies({ project, call }: CallBodiesProps) {
  const { data: settings } = useQuery(bodySettingsQuery(project))
  const { whyNot } = useRights(project)
  const [bodies, setBodies] = useState<Bodies | null>(null)
  const { error, isWorking, attempt } = useAttempt()
  const { retentionHours = null } = settings ?? {}
  if (settings === undefined) return null
  if (retentionHours === null) return <NotKept project={project} why={whyNot('pollux.bodySettings.update')} />
  const why = whyNot('pollux.calls.getBodies')
  const read = async (): Promise<void> =>
    setBodies(await client.call(BODIES_V1.getCallBodies, { params: { project, call } }))
  return (
    <section className="call__bodies" aria-label="Bodies">
      <h3>Request and reply</h3>
      {bodies === null ? (
        <>
          <p className="quiet">
            The project keeps them for {retentionText(retentionHours)}. Looking is written to the audit trail,
            and may ask whether it is still you.
          </p>
          {error !== null && <ErrorNotice title="They cannot be shown" error={error} />}
          <div className="call__look">
            <Button isDisabled={why !== null || isWorking} onPress={() => attempt(read)}>
              Show request and reply
            </Button>
          </div>
          <Why reason={why} />
        </>
      ) : (
        <>
          <Body title="Request" body={bodies.request} />
          <Body title="Reply" body={bodies.reply} />
          <p className="quiet small">
            Keys and media are left out. Deleted <Time time={bodies.expireTime} />
          </p>
        </>
      )}
    </section>
  )
}

/** Only who could change it is told how. */
function NotKept({ project, why }: { readonly project: string; readonly why: string | null }) {
  if (why !== null) return null
  return (
    <p className="quiet">
      What was asked and answered is not kept. <Link to={projectPath(project, 'settings')}>The settings</Link>{' '}
      of {project} switch that on for calls to come, or{' '}
      <code>pollux projects bodies {project} --keep 24h</code>
    </p>
  )
}

function Body({ title, body }: { readonly title: string; readonly body: Bodies['request'] }) {
  const { text, sizeBytes, truncated } = body
  return (
    <div className="call__body">
      <h4>
        {title}
        <span className="quiet">
          {' '}
          {count.format(sizeBytes)} bytes{truncated && ', of which this is the beginning'}
        </span>
      </h4>
      {text === '' ? (
        <p className="quiet">It had none.</p>
      ) : (
        <div className="code">
          <pre tabIndex={0} role="region" aria-label={title}>
            {bodyText(text)}
          </pre>
          <CopyButton text={text} label={`Copy: ${title}`} />
        </div>
      )}
    </div>
  )
}
