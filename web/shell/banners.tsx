import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useEffect, useState } from 'react'
import { Link, useLocation } from 'react-router'
import { DEGRADED_MODES } from '../../src/domain/degraded-mode.ts'
import { keysPath } from '../paths.ts'
import { budgetsQuery, serverQuery } from '../queries.ts'
import { Button } from '../ui/button.tsx'
import { useIsUpdated, usePulse } from './pulse.ts'

/** How old what the server said of itself may be when somebody goes to another screen. */
const SERVER_STALE_MS = 30_000

/** What is not as usual, over every screen, for as long as it is so. */
export function Banners() {
  const pulse = usePulse()
  const isUpdated = useIsUpdated()
  const modes = useDegradedModes(pulse === 'not ready')
  return (
    <div className="banners" role="status">
      {pulse === 'silent' && (
        <Banner look="look">
          No answer from Pollux. What is shown may be old; it is asked again every two seconds, and nothing
          that you typed is lost.
        </Banner>
      )}
      {pulse === 'not ready' && modes.length === 0 && (
        <Banner look="wrong">Pollux answers, but is not ready: its database does not answer.</Banner>
      )}
      {pulse !== 'silent' &&
        modes.map(mode => (
          <Banner key={mode} look={DEGRADED_MODES[mode].calls === 'served' ? 'look' : 'wrong'}>
            Calls are {DEGRADED_MODES[mode].calls}, since {DEGRADED_MODES[mode].when}.
          </Banner>
        ))}
      {isUpdated && (
        <Banner look="look" action={<Button onPress={() => location.reload()}>Load it anew</Button>}>
          The console was updated while this page was open.
        </Banner>
      )}
      <CapsBanner />
    </div>
  )
}

/** Caps that are reached; hidden by hand until their number changes. */
function CapsBanner() {
  const { data: budgets = [] } = useQuery({ ...budgetsQuery, retry: false })
  const [hidden, setHidden] = useState(0)
  const count = budgets.filter(({ state }) => state === 'EXHAUSTED').length
  if (count === 0 || count === hidden) return null
  return (
    <Banner look="look" action={<Button onPress={() => setHidden(count)}>Hide</Button>}>
      {count === 1 ? 'A cap is reached' : `${count} caps are reached`}: calls that{' '}
      {count === 1 ? 'it binds' : 'they bind'} get 402 until the period ends or the cap is raised.{' '}
      <Link to={keysPath({ status: 'over-cap' })}>Keys over their caps</Link>
    </Banner>
  )
}

interface BannerProps {
  readonly look: 'look' | 'wrong'
  readonly children: ReactNode
  readonly action?: ReactNode
}

function Banner({ look, children, action }: BannerProps) {
  return (
    <div className={`banner banner--${look}`}>
      <p>{children}</p>
      {action}
    </div>
  )
}

/** Asked when somebody goes to another screen, not by the clock: it takes a session, which may not be kept alive by a page. */
function useDegradedModes(isAskedNow: boolean) {
  const { pathname } = useLocation()
  const { data, dataUpdatedAt, refetch } = useQuery(serverQuery)
  const isOld = Date.now() - dataUpdatedAt > SERVER_STALE_MS
  useEffect(() => {
    if (isOld || isAskedNow) void refetch()
    // oxlint-disable-next-line react/exhaustive-deps -- asked at these moments, whatever else changes meanwhile
  }, [pathname, isAskedNow])
  return data?.degradedModes ?? []
}
