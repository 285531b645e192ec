import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { POLLUX_V1 } from '../../src/contract/pollux.v1.ts'
import { ENVIRONMENTS, type Environment } from '../../src/domain/key.ts'
import { assertProjectDisplayName, assertProjectId } from '../../src/domain/project.ts'
import { problemOf } from '../keys/problem.ts'
import { projectsQuery } from '../queries.ts'
import { client } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { RadioField, TextField } from '../ui/field.tsx'
import { Notice } from '../ui/notice.tsx'
import { idFrom, labelsOf } from './rows.ts'
import { TierField } from './tier-field.tsx'
import '../keys/form.css'
import './projects.css'

/** As AI Studio: so many projects can be made at once. */
export const PROJECTS_AT_ONCE_MAX = 10

interface CreateProjectProps {
  readonly onClose: () => void
  /** Told the id of the project that was made first. */
  readonly onCreated?: (projectId: string) => void
  /** How many can be made at once. */
  readonly countMax?: number
}

interface Line {
  readonly name: string
  /** null: what follows from the name. */
  readonly id: string | null
}

const NEW_LINE: Line = { name: '', id: null }

/** Makes projects, one or some alike. If one is refused, those before it are made, and the rest stays in the form. */
export function CreateProjectDialog({ onClose, onCreated, countMax = 1 }: CreateProjectProps) {
  const queries = useQueryClient()
  const { data: projects = [] } = useQuery(projectsQuery)
  const [lines, setLines] = useState<readonly Line[]>([NEW_LINE])
  const [tier, setTier] = useState('')
  const [environment, setEnvironment] = useState<Environment | ''>('')
  const [made, setMade] = useState<readonly string[]>([])
  const ids = lines.map(idOfLine)
  const problems = lines.map((line, place) => problemsOf(line, { ids, place, projects }))
  const isReady = problems.every(({ name, id }) => name === null && id === null) && !ids.includes('')
  const create = async (): Promise<void> => {
    let left = lines
    const names = [...made]
    try {
      for (const line of lines) {
        const projectId = idOfLine(line)
        const displayName = line.name.trim()
        const labels = labelsOf('', environment)
        await client.call(POLLUX_V1.createProject, {
          body: {
            projectId,
            ...(displayName === '' ? {} : { displayName }),
            ...(tier === '' ? {} : { tier }),
            ...(environment === '' ? {} : { labels }),
          },
        })
        left = left.slice(1)
        names.push(projectId)
      }
    } finally {
      setLines(left)
      setMade(names)
      await queries.invalidateQueries({ queryKey: ['projects'] })
    }
    const [first] = names
    if (first !== undefined) onCreated?.(first)
  }
  const change = (place: number, part: Partial<Line>): void =>
    setLines(before => before.map((line, at) => (at === place ? { ...line, ...part } : line)))
  return (
    <ConfirmDialog
      title={countMax === 1 ? 'Create project' : 'Create projects'}
      verb={lines.length < 2 ? 'Create project' : `Create ${lines.length} projects`}
      failure="The rest was not made"
      onClose={onClose}
      isDisabled={!isReady}
      onConfirm={create}
    >
      {made.length > 0 && <Notice>Made: {made.join(', ')}.</Notice>}
      {lines.map((line, place) => (
        // The place is what tells lines apart: they are only added at the end and taken off the start.
        // oxlint-disable-next-line react/no-array-index-key
        <div key={place} className="form__pair projects__line">
          <TextField
            label={place === 0 ? 'Name' : `Name ${place + 1}`}
            autoFocus={place === lines.length - 1}
            value={line.name}
            onChange={name => change(place, { name })}
            problem={problems[place]?.name ?? null}
            placeholder="Web shop"
          />
          <TextField
            label={place === 0 ? 'Id' : `Id ${place + 1}`}
            value={idOfLine(line)}
            onChange={id => change(place, { id })}
            problem={problems[place]?.id ?? null}
            {...(place === 0 ? { hint: 'It stands in resource names and never changes.' } : {})}
          />
        </div>
      ))}
      {countMax > 1 && (
        <div className="actions projects__more">
          <Button
            isDisabled={lines.length + made.length >= countMax}
            onPress={() => setLines([...lines, NEW_LINE])}
          >
            <Plus aria-hidden />
            Another
          </Button>
          <span className="quiet small">{countMax} at once at most</span>
        </div>
      )}
      <TierField value={tier} onChange={setTier} />
      <RadioField
        legend="Environment"
        value={environment}
        onChange={value => setEnvironment(value as Environment | '')}
        options={[['', 'None'], ...ENVIRONMENTS.map(value => [value, value] as const)]}
      />
    </ConfirmDialog>
  )
}

function idOfLine({ id, name }: Line): string {
  return id ?? idFrom(name)
}

interface Around {
  readonly ids: readonly string[]
  readonly place: number
  readonly projects: readonly { readonly projectId: string }[]
}

function problemsOf({ name }: Line, { ids, place, projects }: Around) {
  const id = ids[place] ?? ''
  const isTaken = projects.some(({ projectId }) => projectId === id) || ids.indexOf(id) < place
  return {
    name: problemOf(() => assertProjectDisplayName(name.trim())),
    id: id === '' ? null : isTaken ? 'This id is taken.' : problemOf(() => assertProjectId(id)),
  }
}
