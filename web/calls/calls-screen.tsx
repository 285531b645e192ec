import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { Pause, Play } from 'lucide-react'
import { useCallback, useMemo } from 'react'
import { useSearchParams } from 'react-router'
import { callsPath, newKeyPath } from '../paths.ts'
import { Button, ButtonLink } from '../ui/button.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { useUrlState } from '../url-state.ts'
import { CallDialog } from './call-dialog.tsx'
import { CallFilters, type Filter, NO_FILTER, isNarrow, listFilterOf } from './call-filters.tsx'
import { CallTable } from './call-table.tsx'
import { type CallJson, type ListFilter, callsQuery, openCall } from './queries.ts'
import { useTail } from './tail.ts'

const NOTHING_OPEN = { call: '', of: '', at: '' } as const
const LIVE = { live: 'on' } as const

/** Each call that was let in: what became of it, how long it took, what it cost. */
export function CallsScreen() {
  const [filter, setFilter] = useUrlState<Filter>(NO_FILTER)
  const [open, setOpen] = useUrlState<Readonly<Record<keyof typeof NOTHING_OPEN, string>>>(NOTHING_OPEN)
  const text = JSON.stringify(filter)
  const asked = useMemo(() => listFilterOf(JSON.parse(text) as Filter), [text])
  return (
    <Page
      title="Calls"
      about="Every call that was let in, newest first: what the caller was given, how long it took, what it used and cost. What was asked and answered is kept only where a project wants that."
    >
      <CallFilters filter={filter} onChange={setFilter} />
      <CallList key={text} filter={filter} asked={asked} onClear={() => setFilter(NO_FILTER)} />
      {open.call !== '' && (
        <CallDialog
          place={{ project: open.of, call: open.call, at: open.at }}
          onClose={() => setOpen(NOTHING_OPEN)}
        />
      )}
    </Page>
  )
}

interface CallListProps {
  readonly filter: Filter
  readonly asked: ListFilter
  readonly onClear: () => void
}

function CallList({ filter, asked, onClear }: CallListProps) {
  const [{ live }, setLive] = useUrlState<Readonly<Record<'live', string>>>(LIVE)
  // Of a time that is over nothing new can come.
  const canBeLive = filter.id === '' && filter.range === ''
  const isLive = live === 'on' && canBeLive
  const { list, tail } = useCalls(asked, isLive)
  const hrefOf = useHref()
  const calls = merged(tail.calls, list.data?.pages.flatMap(page => page.calls) ?? [])
  return (
    <>
      <div className="calls__live">
        <Button onPress={() => setLive({ live: isLive ? 'off' : 'on' })} isDisabled={!canBeLive}>
          {isLive ? <Pause aria-hidden /> : <Play aria-hidden />}
          {isLive ? 'Pause' : 'Go live'}
        </Button>
        <LiveText state={isLive ? tail.state : 'paused'} />
      </div>
      {list.error !== null && <ErrorNotice title="The calls could not be read" error={list.error} />}
      {isLive && tail.state === 'over' && (
        <ErrorNotice title="New calls are not shown any more. Pause, and go live again." error={tail.error} />
      )}
      {list.isPending && <div className="waiting" />}
      {calls.length > 0 && <CallTable label="Calls" calls={calls} hrefOf={hrefOf} withKey />}
      {list.isSuccess && calls.length === 0 && !list.hasNextPage && (
        <NoCalls isNarrow={isNarrow(filter)} onClear={onClear} />
      )}
      <p className="table__more quiet small" role="status">
        {calls.length > 0 && `${calls.length} shown`}
        {list.hasNextPage && (
          <Button onPress={() => void list.fetchNextPage()} isDisabled={list.isFetchingNextPage}>
            {calls.length === 0 ? 'None among the newest. Look further back' : 'Show older'}
          </Button>
        )}
      </p>
    </>
  )
}

/** The list, and what comes after it. */
function useCalls(asked: ListFilter, isLive: boolean) {
  const queries = useQueryClient()
  const list = useInfiniteQuery(callsQuery(asked))
  // What ended before the tail began is in the list once that is read again.
  const readAgain = useCallback(() => void queries.invalidateQueries({ queryKey: ['calls'] }), [queries])
  const tail = useTail(asked, isLive, readAgain)
  return { list, tail }
}

/** Where a call is shown, with the filters as they are. */
function useHref(): (call: CallJson) => string {
  const [search] = useSearchParams()
  return call => callsPath({ ...Object.fromEntries(search), ...openCall(call) })
}

/** Each once, newest first by its start, as the server sorts them: what took long comes in further down. */
function merged(tail: readonly CallJson[], list: readonly CallJson[]): readonly CallJson[] {
  const calls = new Map([...list, ...tail].map(call => [call.callId, call]))
  return [...calls.values()].sort((one, other) => other.startTime.localeCompare(one.startTime))
}

const LIVE_TEXTS = {
  live: { look: 'fine calls__pulse', text: 'Live: calls appear when they end' },
  reconnecting: { look: 'off', text: 'Reconnecting. Calls that end meanwhile appear then' },
  over: { look: 'off', text: 'Not live' },
  paused: { look: 'off', text: 'Paused' },
} as const

function LiveText({ state }: { readonly state: keyof typeof LIVE_TEXTS }) {
  const { look, text } = LIVE_TEXTS[state]
  return <span className={`status status--${look}`}>{text}</span>
}

interface NoCallsProps {
  readonly isNarrow: boolean
  readonly onClear: () => void
}

function NoCalls({ isNarrow, onClear }: NoCallsProps) {
  if (isNarrow) {
    return (
      <div className="sheet empty">
        <h2>No call matches</h2>
        <p>Calls that a rule of Pollux refused have no record: their callers were told which one it was.</p>
        <Button onPress={onClear}>Show all calls</Button>
      </div>
    )
  }
  return (
    <div className="sheet empty">
      <h2>No call yet</h2>
      <p>
        The first one shows up here when it ends. On the command line: <code>pollux calls list --follow</code>
      </p>
      <ButtonLink to={newKeyPath()}>Create a key and run it</ButtonLink>
    </div>
  )
}
