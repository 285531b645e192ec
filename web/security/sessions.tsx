import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import type { ResponseOf } from '../../src/contract/endpoint.ts'
import { SESSION_V1 } from '../../src/contract/sign-in.v1.ts'
import { idOf } from '../keys/rows.ts'
import { whoQuery } from '../queries.ts'
import { client } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Time } from '../ui/time.tsx'
import { addToast } from '../ui/toast.tsx'
import { browserOf } from './browser.ts'

type SessionJson = ResponseOf<typeof SESSION_V1.listSessions>['sessions'][number]

const SESSIONS_KEY = ['sessions'] as const

/** Where one is signed in, and how to end it. */
export function Sessions() {
  const { data: who } = useQuery(whoQuery)
  const isPerson = who?.session !== undefined
  const sessions = useQuery({
    queryKey: SESSIONS_KEY,
    queryFn: async () => (await client.call(SESSION_V1.listSessions, {})).sessions,
    enabled: isPerson,
  })
  return (
    <section className="panel" aria-labelledby="sessions-title">
      <h2 id="sessions-title">Where you are signed in</h2>
      {who !== undefined && who !== null && !isPerson && (
        <p className="quiet">
          A management token is used here, which has no sessions: it works until it is taken back. On the
          command line: <code>pollux tokens list</code>
        </p>
      )}
      {sessions.error !== null && (
        <ErrorNotice title="The sessions could not be read" error={sessions.error} />
      )}
      {sessions.data !== undefined && <SessionList sessions={sessions.data} />}
    </section>
  )
}

function SessionList({ sessions }: { readonly sessions: readonly SessionJson[] }) {
  const queries = useQueryClient()
  const [ending, setEnding] = useState<readonly SessionJson[]>([])
  const others = sessions.filter(({ isCurrent }) => !isCurrent)
  const end = async (): Promise<void> => {
    for (const { name } of ending) {
      await client.call(SESSION_V1.endSession, { params: { session: idOf(name) } })
    }
    await queries.invalidateQueries({ queryKey: SESSIONS_KEY })
    addToast({ text: ending.length === 1 ? 'The session is over.' : `${ending.length} sessions are over.` })
  }
  return (
    <>
      <ul className="sessions">
        {sessions.map(session => (
          <li key={session.name}>
            <div>
              <p>
                <strong>{browserOf(session.userAgent)}</strong>{' '}
                {session.isCurrent && <span className="status status--fine">this one</span>}
              </p>
              <p className="quiet small">
                {session.callerIp} · {session.method.toLowerCase()} · seen{' '}
                <Time time={session.lastSeenTime} /> · since <Time time={session.createTime} />
              </p>
            </div>
            {!session.isCurrent && (
              <Button
                aria-label={`End the session of ${browserOf(session.userAgent)} at ${session.callerIp}`}
                onPress={() => setEnding([session])}
              >
                End
              </Button>
            )}
          </li>
        ))}
      </ul>
      {others.length > 1 && (
        <div className="actions">
          <Button look="grave" onPress={() => setEnding(others)}>
            End all others
          </Button>
        </div>
      )}
      {ending.length > 0 && (
        <ConfirmDialog
          title={ending.length === 1 ? 'End this session?' : `End ${ending.length} sessions?`}
          verb="End"
          look="grave"
          onClose={() => setEnding([])}
          onConfirm={end}
        >
          <p>Whoever uses it has to sign in again. If you do not know it, change your password too.</p>
        </ConfirmDialog>
      )}
    </>
  )
}
