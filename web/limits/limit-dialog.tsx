import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { EACH_MODEL, QUOTA_METRICS, type QuotaMetric } from '../../src/domain/quota.ts'
import { parseQuotaLimit } from '../../src/domain/quota-fields.ts'
import { problemOf } from '../keys/problem.ts'
import { idOf } from '../keys/rows.ts'
import { keysQuery, projectsQuery, serverQuery } from '../queries.ts'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { CheckField, RadioField, SelectField, TextField } from '../ui/field.tsx'
import { METRIC_TEXT } from './metrics.ts'
import { useLimitChanges } from './queries.ts'

export interface LimitDraft {
  /** Empty: the project. */
  readonly key: string
  readonly metric: QuotaMetric
  /** `*`: each model; empty: all together. */
  readonly model: string
  /** Decimal; -1: no limit. */
  readonly value: string
}

export const NEW_LIMIT: LimitDraft = { key: '', metric: 'requestsPerMinute', model: EACH_MODEL, value: '' }

interface LimitDialogProps {
  readonly project: string
  readonly start: LimitDraft
  readonly onClose: () => void
}

/** Makes a limit of a project or a key, or changes the one that there is for the same metric and model. */
export function LimitDialog({ project, start, onClose }: LimitDialogProps) {
  const [draft, setDraft] = useState(start)
  const [isOneModel, setOneModel] = useState(start.model !== EACH_MODEL && start.model !== '')
  const { data: keys = [] } = useQuery(keysQuery)
  const { data: projects = [] } = useQuery(projectsQuery)
  const { data: server } = useQuery(serverQuery)
  const changes = useLimitChanges()
  const change = (part: Partial<LimitDraft>): void => setDraft(before => ({ ...before, ...part }))
  const number = idOf(projects.find(({ projectId }) => projectId === project)?.name ?? '')
  const own = keys.filter(({ name, state }) => name.split('/')[1] === number && state !== 'DELETED')
  const isUnlimited = draft.value === '-1'
  const problem = draft.value === '' ? null : problemOf(() => parseQuotaLimit(draft, 'limit'))
  const isReady = draft.value !== '' && problem === null && (!isOneModel || draft.model !== '')
  const { key, metric, model, value } = draft
  return (
    <ConfirmDialog
      title="Set a limit"
      verb="Set the limit"
      onClose={onClose}
      isDisabled={!isReady}
      onConfirm={() =>
        changes.set(
          { project, ...(key === '' ? {} : { key }) },
          { metric, ...(model === '' ? {} : { model }), value },
        )
      }
    >
      <SelectField
        label="Whose calls"
        value={key}
        onChange={key => change({ key })}
        options={[
          ['', 'The whole project'],
          ...own.map(({ name, displayName }) => [idOf(name), `Key ${displayName || idOf(name)}`] as const),
        ]}
      />
      <SelectField
        label="What is counted"
        value={metric}
        onChange={metric => change({ metric: metric as QuotaMetric })}
        options={QUOTA_METRICS.map(metric => [metric, METRIC_TEXT[metric]])}
      />
      <RadioField
        legend="Of which models"
        value={isOneModel ? 'one' : model}
        onChange={model => {
          setOneModel(model === 'one')
          change({ model: model === 'one' ? '' : model })
        }}
        options={[
          [EACH_MODEL, 'each one apart'],
          ['', 'all together'],
          ['one', 'one model'],
        ]}
      />
      {isOneModel && (
        <TextField
          label="Model"
          value={model}
          onChange={model => change({ model: model.trim() })}
          options={server?.models ?? []}
          placeholder="gemini-3.8-flash"
        />
      )}
      {!isUnlimited && (
        <TextField
          label="At most"
          value={value}
          onChange={value => change({ value: value.trim() })}
          problem={problem}
          placeholder="60"
          hint="0 lets nothing through."
        />
      )}
      <CheckField
        label="No limit, whatever the tier says"
        isChecked={isUnlimited}
        onChange={isChecked => change({ value: isChecked ? '-1' : '' })}
      />
    </ConfirmDialog>
  )
}
