import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Download } from 'lucide-react'
import { useState } from 'react'
import { useAttempt } from '../door/attempt.ts'
import { projectsQuery } from '../queries.ts'
import { Button } from '../ui/button.tsx'
import { download } from '../ui/download.ts'
import { SelectField, TextField } from '../ui/field.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { addToast } from '../ui/toast.tsx'
import { useUrlState } from '../url-state.ts'
import { payloadOf } from './entry.ts'
import { EntryTable } from './entry-table.tsx'
import { AuditFrame } from './frame.tsx'
import { type AuditFilter, type LogEntry, SINCE, entriesQuery, exportEntries } from './queries.ts'

const NO_FILTER = { principal: '', method: '', resource: '', project: '', since: '' } as const
const NOTHING_CHOSEN = { ...NO_FILTER, entry: '' } as const

type State = Record<keyof typeof NOTHING_CHOSEN, string>

/** Who changed or saw what, newest first. */
export function EntriesScreen() {
  const [{ entry, ...filter }, setState] = useUrlState<State>(NOTHING_CHOSEN)
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(
    entriesQuery(filter),
  )
  const entries = data?.pages.flatMap(page => page.entries)
  const isFiltered = Object.values(filter).some(value => value !== '')
  return (
    <AuditFrame
      title="Audit"
      about="Every change and every reveal, written with what it is about or not done at all. Nobody can edit it unseen."
      actions={<ExportButton filter={filter} />}
    >
      <Filters
        filter={filter}
        entries={entries ?? []}
        onChange={change => setState({ ...change, entry: '' })}
      />
      {error !== null && <ErrorNotice title="The trail could not be read" error={error} />}
      {entries === undefined && error === null && <div className="waiting" />}
      {entries?.length === 0 && (
        <div className="sheet empty">
          <h2>{isFiltered ? 'No entry is like that' : 'Nothing has been changed yet'}</h2>
          <p>
            {isFiltered
              ? 'Methods and people are matched whole; a resource with all that is below it.'
              : 'The first change of a key, a budget or a role stands here.'}{' '}
            <code>pollux audit list</code> shows the same in the terminal.
          </p>
          {isFiltered && <Button onPress={() => setState(NOTHING_CHOSEN)}>Show everything</Button>}
        </div>
      )}
      {entries !== undefined && entries.length > 0 && (
        <EntryTable
          entries={entries}
          open={entry}
          onOpen={insertId => setState({ entry: insertId })}
          onOnly={setState}
        />
      )}
      {hasNextPage && (
        <p className="table__more">
          <Button isDisabled={isFetchingNextPage} onPress={() => void fetchNextPage()}>
            Show older ones
          </Button>
          <span className="quiet small">{entries?.length ?? 0} shown</span>
        </p>
      )}
    </AuditFrame>
  )
}

interface FiltersProps {
  readonly filter: AuditFilter
  /** What is shown now, for suggestions. */
  readonly entries: readonly LogEntry[]
  readonly onChange: (change: Partial<AuditFilter>) => void
}

/** Texts count when they are sent: each letter would be another question to the server. */
function Filters({ filter, entries, onChange }: FiltersProps) {
  const { data: projects = [] } = useQuery(projectsQuery)
  const [draft, set] = useDraft(filter)
  // What was typed and not sent yet counts with the next choice, too.
  const apply = (change: Partial<AuditFilter>): void => {
    const texts = Object.entries(draft).map(([name, value]) => [name, value.trim()])
    onChange({ ...Object.fromEntries(texts), ...change })
  }
  const isChanged = Object.keys(NO_FILTER).some(name => {
    const field = name as keyof AuditFilter
    return draft[field].trim() !== filter[field]
  })
  const seen = (of: (entry: LogEntry) => string): string[] => [...new Set(entries.map(of))].sort()
  return (
    <form
      role="search"
      className="filters filters--labelled"
      onSubmit={event => {
        event.preventDefault()
        apply({})
      }}
    >
      <TextField
        label="Who"
        value={draft.principal}
        onChange={principal => set({ principal })}
        placeholder="user:ada@example.com"
        options={seen(entry => payloadOf(entry).authenticationInfo.principalSubject)}
      />
      <TextField
        label="Method"
        value={draft.method}
        onChange={method => set({ method })}
        placeholder="pollux.v1.Keys.DisableKey"
        options={seen(entry => payloadOf(entry).methodName)}
      />
      <TextField
        label="Resource and below"
        value={draft.resource}
        onChange={resource => set({ resource })}
        placeholder="users/…"
        options={seen(entry => payloadOf(entry).resourceName)}
      />
      <SelectField
        label="In project"
        value={draft.project}
        onChange={project => apply({ project })}
        options={[
          ['', 'Any, and the organization'],
          ...projects.map(({ projectId, displayName }) => [projectId, displayName ?? projectId] as const),
        ]}
      />
      <SelectField
        label="When"
        value={draft.since}
        onChange={since => apply({ since })}
        options={SINCE.map(([value, text]) => [value, text] as const)}
      />
      <div className="actions">
        <Button type="submit" isDisabled={!isChanged}>
          Filter
        </Button>
        {Object.values(filter).some(value => value !== '') && (
          <Button
            onPress={() => {
              set(NO_FILTER)
              onChange(NO_FILTER)
            }}
          >
            Clear
          </Button>
        )}
      </div>
    </form>
  )
}

/** What is typed, beside what is asked for. A field follows when another value of it is asked for: by Back, or by a link. */
function useDraft(filter: AuditFilter): readonly [AuditFilter, (change: Partial<AuditFilter>) => void] {
  const [draft, setDraft] = useState(filter)
  const [known, setKnown] = useState(filter)
  const set = (change: Partial<AuditFilter>): void => setDraft(before => ({ ...before, ...change }))
  const changed = Object.entries(filter).filter(([name, value]) => known[name as keyof AuditFilter] !== value)
  if (changed.length > 0) {
    setKnown(filter)
    set(Object.fromEntries(changed))
  }
  return [draft, set]
}

function ExportButton({ filter }: { readonly filter: AuditFilter }) {
  const [count, setCount] = useState(0)
  const { error, isWorking, attempt } = useAttempt()
  const save = async (): Promise<void> => {
    setCount(0)
    const exported = await exportEntries(filter, setCount)
    const day = new Date().toISOString().slice(0, 10)
    download(`audit-${day}.jsonl`, exported.text, 'application/jsonl')
    const text = exported.isWhole
      ? `${exported.count} entries are in your downloads.`
      : `The oldest ${exported.count} entries are in your downloads. pollux audit export writes all of them.`
    addToast({ text })
  }
  return (
    <>
      <Button isDisabled={isWorking} onPress={() => attempt(save)}>
        <Download aria-hidden />
        {isWorking ? `${count} entries read` : 'Export as JSON lines'}
      </Button>
      {error !== null && <ErrorNotice title="The trail could not be exported" error={error} />}
    </>
  )
}
