import { Plus, X } from 'lucide-react'
import { useState } from 'react'
import { EACH_MODEL, QUOTA_METRICS } from '../../src/domain/quota.ts'
import { Button, IconButton } from '../ui/button.tsx'
import { TextField } from '../ui/field.tsx'
import { Table } from '../ui/table.tsx'
import { METRIC_SHORT, METRIC_TEXT, gridOf, metricsOf, modelText, shownLimit } from './metrics.ts'
import type { TierJson } from './queries.ts'
import type { GridLine } from './tier-draft.ts'

interface LimitGridProps {
  readonly limits: NonNullable<TierJson['limits']>
}

/** The limits of a tier to read. */
export function LimitGrid({ limits }: LimitGridProps) {
  const metrics = metricsOf(limits)
  if (limits.length === 0) return <p className="quiet">It limits nothing.</p>
  return (
    <Table
      label="Limits by model"
      columns={[
        'Model',
        ...metrics.map(metric => ({ number: METRIC_SHORT[metric], title: METRIC_TEXT[metric] })),
      ]}
    >
      <tbody>
        {gridOf(limits).map(({ model, cells }) => (
          <tr key={model}>
            <th scope="row">{modelText(model)}</th>
            {metrics.map(metric => {
              const cell = cells.get(metric)
              return (
                <td key={metric} className="number">
                  {cell === undefined ? <span className="quiet">–</span> : shownLimit(cell.value)}
                </td>
              )
            })}
          </tr>
        ))}
      </tbody>
    </Table>
  )
}

interface GridEditorProps {
  readonly lines: readonly GridLine[]
  readonly problem: string | null
  /** Suggestions. */
  readonly models: readonly string[]
  readonly onChange: (lines: readonly GridLine[]) => void
}

/** The same to write: a line for each model, an input for each metric. */
export function GridEditor({ lines, problem, models, onChange }: GridEditorProps) {
  const [model, setModel] = useState('')
  const add = (added: string): void => {
    if (!lines.some(({ model }) => model === added)) onChange([...lines, { model: added, values: {} }])
    setModel('')
  }
  const has = (model: string): boolean => lines.some(line => line.model === model)
  return (
    <>
      {lines.length > 0 && (
        <Table
          label="Limits by model"
          columns={[
            'Model',
            ...QUOTA_METRICS.map(metric => ({ text: METRIC_SHORT[metric], title: METRIC_TEXT[metric] })),
            { unseen: 'Actions' },
          ]}
          className="grid"
        >
          <tbody>
            {lines.map((line, place) => (
              <tr key={line.model}>
                <th scope="row">{modelText(line.model)}</th>
                {QUOTA_METRICS.map(metric => (
                  <td key={metric}>
                    <input
                      className="input grid__value"
                      inputMode="numeric"
                      aria-label={`${METRIC_TEXT[metric]}, ${modelText(line.model)}`}
                      value={line.values[metric] ?? ''}
                      placeholder="–"
                      onChange={event =>
                        onChange(
                          lines.with(place, {
                            ...line,
                            values: { ...line.values, [metric]: event.target.value },
                          }),
                        )
                      }
                    />
                  </td>
                ))}
                <td>
                  <IconButton
                    label={`Remove the limits of ${modelText(line.model)}`}
                    onPress={() => onChange(lines.toSpliced(place, 1))}
                  >
                    <X aria-hidden />
                  </IconButton>
                </td>
              </tr>
            ))}
          </tbody>
        </Table>
      )}
      <div aria-live="polite">{problem !== null && <p className="field__problem">{problem}</p>}</div>
      <div className="form__pair form__pair--end">
        <TextField
          label="Add a model"
          value={model}
          onChange={setModel}
          options={models}
          placeholder="gemini-3.8-flash"
        />
        <Button isDisabled={model.trim() === ''} onPress={() => add(model.trim())}>
          <Plus aria-hidden />
          Add
        </Button>
      </div>
      <div className="actions">
        {!has(EACH_MODEL) && <Button onPress={() => add(EACH_MODEL)}>Add each other model</Button>}
        {!has('') && <Button onPress={() => add('')}>Add all models together</Button>}
      </div>
      <p className="field__hint">
        Empty: no limit. 0 lets nothing through. -1: no limit for this model, though each other model has one.
      </p>
    </>
  )
}
