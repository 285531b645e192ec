import { useEffect, useState } from 'react'
import { ENVIRONMENTS, type Environment } from '../../src/domain/key.ts'
import { assertLabels, assertProjectDisplayName } from '../../src/domain/project.ts'
import { problemOf } from '../keys/problem.ts'
import { useAttempt } from '../door/attempt.ts'
import type { ProjectJson } from '../queries.ts'
import { Button } from '../ui/button.tsx'
import { CheckField, RadioField, TextField } from '../ui/field.tsx'
import type { Held } from '../ui/held-form.tsx'
import { ErrorNotice, Notice } from '../ui/notice.tsx'
import { addToast } from '../ui/toast.tsx'
import { useProjectChanges } from './changes.ts'
import { environmentOf, labelText, labelsOf } from './rows.ts'
import { TierField } from './tier-field.tsx'

/** Name, tier, environment, labels, and whether keys can be shown again. */
export function SettingsForm({ base: project, stale, onTyped }: Held<ProjectJson>) {
  const [displayName, setName] = useState(project.displayName ?? '')
  const [tier, setTier] = useState(project.tier ?? '')
  const [environment, setEnvironment] = useState<Environment | ''>(environmentOf(project) ?? '')
  const [text, setText] = useState(labelText(project))
  const [recoverableKeys, setRecoverable] = useState(project.recoverableKeys ?? false)
  const { error, isWorking, attempt } = useAttempt()
  const changes = useProjectChanges(project.projectId)
  const labels = labelsOf(text, environment)
  const problems = {
    name: problemOf(() => assertProjectDisplayName(displayName.trim())),
    labels: problemOf(() => assertLabels(labels)),
  }
  const patch = {
    ...(displayName.trim() === (project.displayName ?? '') ? {} : { displayName: displayName.trim() }),
    ...(tier === (project.tier ?? '') ? {} : { tier }),
    ...(isSame(labels, project.labels ?? {}) ? {} : { labels }),
    ...(recoverableKeys === (project.recoverableKeys ?? false) ? {} : { recoverableKeys }),
  }
  const isChanged = Object.keys(patch).length > 0
  useEffect(() => onTyped(isChanged), [onTyped, isChanged])
  const isReady =
    isChanged && stale === null && !isWorking && problems.name === null && problems.labels === null
  const save = async (): Promise<void> => {
    await changes.update({ ...patch, etag: project.etag })
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
        <h2>Name and limits</h2>
        <TextField label="Name" value={displayName} onChange={setName} problem={problems.name} />
        <TierField value={tier} onChange={setTier} />
      </section>
      <section className="panel">
        <h2>Labels</h2>
        <RadioField
          legend="Environment"
          value={environment}
          onChange={value => setEnvironment(value as Environment | '')}
          options={[['', 'None'], ...ENVIRONMENTS.map(value => [value, value] as const)]}
        />
        <TextField
          label="Other labels"
          lines={3}
          value={text}
          onChange={setText}
          problem={problems.labels}
          placeholder={'team=shop\ncost-center=eu-12'}
          hint="One a line: a key, =, and a value."
        />
      </section>
      <section className="panel">
        <h2>Keys that can be shown again</h2>
        <CheckField
          label="Keep the keys made from now on, sealed, so that they can be shown again"
          isChecked={recoverableKeys}
          onChange={setRecoverable}
        />
        <p className="field__hint">
          Otherwise only a digest of a key is stored, and nobody can show it again. Showing one asks for a
          fresh proof and is audited.
        </p>
        {project.recoverableKeys === true && !recoverableKeys && (
          <Notice>Saving forgets those that were kept. The keys go on working.</Notice>
        )}
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

function isSame(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const text = (labels: Readonly<Record<string, string>>): string =>
    JSON.stringify(Object.entries(labels).toSorted(([left], [right]) => (left < right ? -1 : 1)))
  return text(one) === text(other)
}
