import { Pencil, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { Link } from 'react-router'
import { keyPath, tierPath } from '../paths.ts'
import { IconButton } from '../ui/button.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Table } from '../ui/table.tsx'
import { addToast } from '../ui/toast.tsx'
import type { LimitDraft } from './limit-dialog.tsx'
import { METRIC_TEXT, modelText, shownLimit } from './metrics.ts'
import { type LimitJson, useLimitChanges } from './queries.ts'

interface LimitListProps {
  readonly project: string
  readonly limits: readonly LimitJson[]
  readonly tier: string | undefined
  readonly onEdit: (draft: LimitDraft) => void
}

/** The limits of a project's own, to change and remove; those of its tier are the tier's to change. */
export function LimitList({ project, limits, tier, onEdit }: LimitListProps) {
  const [error, setError] = useState<unknown>(null)
  const changes = useLimitChanges()
  const attempt = (change: Promise<unknown>): void => void change.then(() => setError(null), setError)
  const remove = async ({ key, metric, model, value }: LimitJson): Promise<void> => {
    const place = { project, key }
    await changes.unset(place, { metric, model })
    addToast({
      text: `${METRIC_TEXT[metric]} for ${modelText(model).toLowerCase()} is removed.`,
      undo: () => attempt(changes.set(place, { metric, model, value })),
    })
  }
  const own = limits.filter(({ source }) => source !== 'tier')
  const ofTier = limits.length - own.length
  return (
    <>
      {tier !== undefined && (
        <p>
          Tier <Link to={tierPath(tier)}>{tier}</Link> limits {ofTier} more. A limit of the project’s own
          replaces that of its tier for the same model.
        </p>
      )}
      {error !== null && <ErrorNotice title="Nothing was changed" error={error} />}
      {own.length > 0 && (
        <Table
          label="Own limits"
          columns={['What', 'Model', { number: 'Limit' }, 'Whose', { unseen: 'Actions' }]}
        >
          <tbody>
            {own.map(limit => {
              const { source, key, metric, model, value } = limit
              const name = `${METRIC_TEXT[metric]}, ${modelText(model).toLowerCase()}`
              const draft: LimitDraft = { key: key ?? '', metric, model: model ?? '', value }
              return (
                <tr key={`${source} ${key} ${metric} ${model}`}>
                  <th scope="row">{METRIC_TEXT[metric]}</th>
                  <td>{modelText(model)}</td>
                  <td className="number">{shownLimit(value)}</td>
                  <td>
                    {source === 'project' && 'This project'}
                    {source === 'key' && key !== undefined && (
                      <Link to={keyPath({ project, key })}>Key {key}</Link>
                    )}
                  </td>
                  <td className="table__tools">
                    <IconButton label={`Change ${name}`} onPress={() => onEdit(draft)}>
                      <Pencil aria-hidden />
                    </IconButton>
                    <IconButton label={`Remove ${name}`} onPress={() => attempt(remove(limit))}>
                      <Trash2 aria-hidden />
                    </IconButton>
                  </td>
                </tr>
              )
            })}
          </tbody>
        </Table>
      )}
    </>
  )
}
