import { useInfiniteQuery } from '@tanstack/react-query'
import { CallTable } from '../calls/call-table.tsx'
import { callsQuery, openCall } from '../calls/queries.ts'
import { type KeyPlace, callsPath } from '../paths.ts'
import { Button, ButtonLink } from '../ui/button.tsx'
import { ErrorNotice } from '../ui/notice.tsx'

/** The newest calls of a key. */
export function KeyCalls({ place }: { readonly place: KeyPlace }) {
  const { data, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(callsQuery(place))
  if (error !== null) return <ErrorNotice title="The calls could not be read" error={error} />
  if (data === undefined) return <div className="waiting" />
  const calls = data.pages.flatMap(page => page.calls)
  if (calls.length === 0 && !hasNextPage) {
    return (
      <div className="sheet empty">
        <h2>No call yet</h2>
        <p>
          Calls that were let in show up here when they end. On the command line:{' '}
          <code>
            pollux calls list --project {place.project} --key {place.key} --follow
          </code>
        </p>
        <ButtonLink to={callsPath({ ...place })}>Watch for calls</ButtonLink>
      </div>
    )
  }
  return (
    <div className="key__part">
      <CallTable
        label="Calls of this key"
        calls={calls}
        hrefOf={call => callsPath({ ...place, ...openCall(call) })}
      />
      <div className="actions">
        {hasNextPage && (
          <Button onPress={() => void fetchNextPage()} isDisabled={isFetchingNextPage}>
            Show older
          </Button>
        )}
        <ButtonLink to={callsPath({ ...place })}>Watch and filter them</ButtonLink>
      </div>
    </div>
  )
}
