import { queryOptions, useQuery } from '@tanstack/react-query'
import { useDeferredValue, useEffect, useMemo, useState } from 'react'
import { useLocation } from 'react-router'
import { ContractError } from '../../src/contract/client.ts'
import { POLLUX_V1 } from '../../src/contract/pollux.v1.ts'
import { budgetsQuery, keysQuery, projectsQuery, serverQuery } from '../queries.ts'
import { client } from '../session.ts'
import type { Notice } from './kind.ts'
import { noticesOf } from './notices.ts'

/** First comes what the screen itself asks for. */
const AFTER_SCREEN_MS = 1_500
/** How old what is known may be when somebody goes to another screen, or comes back to the window. */
const STALE_MS = 60_000
/** Many keys are many pages. */
const KEYS_STALE_MS = 600_000
const DAY_MS = 86_400_000
const USAGE_DAYS = 7
const MODELS_MAX = 50

const weekQuery = queryOptions({
  queryKey: ['usage', 'of the week by model'],
  queryFn: async () => {
    const startTime = new Date(Date.now() - USAGE_DAYS * DAY_MS).toISOString()
    const query = { startTime, groupBy: ['model' as const], orderBy: 'calls' as const, limit: MODELS_MAX }
    return (await client.call(POLLUX_V1.searchUsage, { query })).rows
  },
})

interface Known {
  /** null: not read yet. */
  readonly notices: readonly Notice[] | null
  /** Of what could not be read, so that nothing is said of it. */
  readonly errors: readonly Error[]
}

/**
 * What is to look at, from five questions that the screens share. They are asked again when somebody does something, and never
 * by the clock: each takes a session, which a page may not keep alive by itself.
 */
export function useNotices(): Known {
  const asked = { enabled: useIsScreenThere(), staleTime: STALE_MS, retry: false } as const
  const server = useQuery(serverQuery)
  const budgets = useQuery({ ...budgetsQuery, ...asked })
  const projects = useQuery({ ...projectsQuery, ...asked })
  const keys = useQuery({ ...keysQuery, ...asked, staleTime: KEYS_STALE_MS })
  const usage = useQuery({ ...weekQuery, ...asked })
  const all = [server, budgets, projects, keys, usage]
  const { pathname } = useLocation()
  useEffect(() => {
    for (const { isStale, isEnabled, refetch } of [budgets, projects, keys, usage])
      if (isStale && isEnabled) void refetch()
    // oxlint-disable-next-line react/exhaustive-deps -- asked when somebody goes somewhere, whatever else changes meanwhile
  }, [pathname])
  const isRead = all.every(({ isPending, isError }) => !isPending || isError)
  const facts = useDeferredValue(
    useMemo(
      () =>
        isRead
          ? {
              degradedModes: server.data?.degradedModes ?? [],
              models: server.data?.models ?? [],
              budgets: budgets.data ?? [],
              projects: projects.data ?? [],
              keys: keys.data ?? [],
              usage: usage.data ?? [],
            }
          : null,
      [isRead, server.data, budgets.data, projects.data, keys.data, usage.data],
    ),
  )
  const notices = useMemo(() => (facts === null ? null : noticesOf(facts, Date.now())), [facts])
  return { notices, errors: all.flatMap(({ error }) => (error === null || isRefusal(error) ? [] : error)) }
}

/** What somebody may not read is no news to them. */
function isRefusal(error: Error): boolean {
  return error instanceof ContractError && error.httpStatus === 403
}

function useIsScreenThere(): boolean {
  const [isThere, setThere] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setThere(true), AFTER_SCREEN_MS)
    return () => clearTimeout(timer)
  }, [])
  return isThere
}
