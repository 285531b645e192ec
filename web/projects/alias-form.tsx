import { useQuery } from '@tanstack/react-query'
import { Plus, X } from 'lucide-react'
import { useEffect, useState } from 'react'
import { parseModelAliases } from '../../src/domain/model-alias.ts'
import { API_VERSIONS, type ApiVersion } from '../../src/domain/project.ts'
import { useAttempt } from '../door/attempt.ts'
import { problemOf } from '../keys/problem.ts'
import { type ProjectJson, serverQuery } from '../queries.ts'
import { Button, IconButton } from '../ui/button.tsx'
import { SelectField, TextField } from '../ui/field.tsx'
import type { Held } from '../ui/held-form.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { addToast } from '../ui/toast.tsx'
import { useProjectChanges } from './changes.ts'

interface Line {
  readonly alias: string
  readonly model: string
  /** Empty: the one that the call asks for. */
  readonly apiVersion: ApiVersion | ''
}

function linesOf({ modelAliases = {} }: ProjectJson): readonly Line[] {
  return Object.entries(modelAliases).map(([alias, { model, apiVersion }]) => ({
    alias,
    model,
    apiVersion: apiVersion ?? '',
  }))
}

function aliasesOf(lines: readonly Line[]) {
  return Object.fromEntries(
    lines.map(({ alias, model, apiVersion }) => [
      alias.trim(),
      { model: model.trim(), ...(apiVersion === '' ? {} : { apiVersion }) },
    ]),
  )
}

/** Other names for models: what a call asks for, and what it gets. */
export function AliasForm({ base: project, stale, onTyped }: Held<ProjectJson>) {
  const [lines, setLines] = useState(() => linesOf(project))
  const { error, isWorking, attempt } = useAttempt()
  const { data: server } = useQuery(serverQuery)
  const changes = useProjectChanges(project.projectId)
  const modelAliases = aliasesOf(lines)
  const isTwice = Object.keys(modelAliases).length < lines.length
  const isEmpty = lines.some(({ alias, model }) => alias.trim() === '' || model.trim() === '')
  const problem = isTwice
    ? 'Name each alias once.'
    : isEmpty
      ? null
      : problemOf(() => parseModelAliases(modelAliases))
  const isChanged = JSON.stringify(lines) !== JSON.stringify(linesOf(project))
  useEffect(() => onTyped(isChanged), [onTyped, isChanged])
  const isReady = isChanged && stale === null && !isWorking && !isEmpty && problem === null
  const change = (place: number, part: Partial<Line>): void =>
    setLines(lines.map((line, at) => (at === place ? { ...line, ...part } : line)))
  const save = async (): Promise<void> => {
    await changes.update({ modelAliases, etag: project.etag })
    onTyped(false)
    addToast({ text: 'Saved. It holds from the next call on.' })
  }
  return (
    <form
      className="project__form"
      onSubmit={event => {
        event.preventDefault()
        if (isReady) attempt(save)
      }}
    >
      <section className="panel">
        <h2>Model aliases</h2>
        <p className="quiet">
          A call for an alias is answered by its model. Restrictions, prices and limits go by the model, not
          by the alias.
        </p>
        {lines.map(({ alias, model, apiVersion }, place) => (
          // The place is what tells lines apart: an alias changes while it is typed.
          // oxlint-disable-next-line react/no-array-index-key
          <div key={place} className="aliases__line">
            <TextField
              label="Alias"
              value={alias}
              onChange={alias => change(place, { alias })}
              placeholder="gemini-1.5-flash"
            />
            <TextField
              label="Model"
              value={model}
              onChange={model => change(place, { model })}
              options={server?.models ?? []}
              placeholder="gemini-flash-latest"
            />
            <SelectField
              label="API version"
              value={apiVersion}
              onChange={version => change(place, { apiVersion: version as Line['apiVersion'] })}
              options={[['', 'as asked'], ...API_VERSIONS.map(version => [version, version] as const)]}
            />
            <IconButton
              label={`Remove the alias ${alias}`}
              onPress={() => setLines(lines.toSpliced(place, 1))}
            >
              <X aria-hidden />
            </IconButton>
          </div>
        ))}
        <div aria-live="polite">{problem !== null && <p className="field__problem">{problem}</p>}</div>
        <Button onPress={() => setLines([...lines, { alias: '', model: '', apiVersion: '' }])}>
          <Plus aria-hidden />
          Add an alias
        </Button>
      </section>
      {error !== null && stale === null && <ErrorNotice title="Nothing was saved" error={error} />}
      {!isWorking && stale}
      <div className="actions">
        <Button type="submit" look="first" isDisabled={!isReady}>
          Save
        </Button>
      </div>
    </form>
  )
}
