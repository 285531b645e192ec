import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { isKeyString } from '../../src/domain/keystring.ts'
import { Button } from '../ui/button.tsx'
import { TextField } from '../ui/field.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { EntryTable } from './entry-table.tsx'
import { AuditFrame } from './frame.tsx'
import { findByKey } from './queries.ts'

/** Whose key is this, and what became of it? The key stays out of the address and of every store. */
export function FindScreen() {
  const [keyString, setKeyString] = useState('')
  const [open, setOpen] = useState('')
  const find = useMutation({ mutationFn: findByKey, gcTime: 0 })
  const text = keyString.trim()
  const problem =
    text === '' || isKeyString(text, 'key')
      ? null
      : 'This is no key of Pollux: those are plx_ and 36 letters and digits.'
  return (
    <AuditFrame
      title="Find by key"
      about="For a key that turned up somewhere. It is sent in the body of one request and kept nowhere."
    >
      <form
        className="panel audit__narrow"
        onSubmit={event => {
          event.preventDefault()
          if (text !== '' && problem === null) find.mutate(text)
        }}
      >
        <TextField
          label="Key"
          type="password"
          autoComplete="off"
          value={keyString}
          onChange={setKeyString}
          problem={problem}
          placeholder="plx_…"
          hint={
            <>
              In the terminal: <code>pollux audit find --key-stdin &lt; key.txt</code>
            </>
          }
        />
        <div className="actions">
          <Button type="submit" look="first" isDisabled={text === '' || problem !== null || find.isPending}>
            Find
          </Button>
        </div>
      </form>
      {find.error !== null && <ErrorNotice title="Nothing was found" error={find.error} />}
      <div role="status">
        {find.data !== undefined && (
          <p className="table__more">
            It is <code>{find.data.name}</code>, with {find.data.entries.length}{' '}
            {find.data.entries.length === 1 ? 'entry' : 'entries'}.
          </p>
        )}
      </div>
      {find.data !== undefined && find.data.entries.length > 0 && (
        <EntryTable entries={find.data.entries} open={open} onOpen={setOpen} />
      )}
    </AuditFrame>
  )
}
