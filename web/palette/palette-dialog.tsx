import { useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, useId, useMemo, useState } from 'react'
import { useNavigate } from 'react-router'
import { keyPath, keysPath, newKeyPath } from '../paths.ts'
import { keysQuery, projectsQuery } from '../queries.ts'
import { Dialog } from '../ui/dialog.tsx'
import { type Destination, bestOf } from './destinations.ts'
import './palette.css'

interface PaletteProps {
  readonly screens: readonly Destination[]
  readonly onClose: () => void
}

/** A few letters of a name, and Enter. What is typed goes nowhere. */
export function PaletteDialog({ screens, onClose }: PaletteProps) {
  const id = useId()
  const navigate = useNavigate()
  const [typed, setTyped] = useState('')
  const [at, setAt] = useState(0)
  const destinations = useDestinations(screens)
  const found = useMemo(() => bestOf(destinations, typed), [destinations, typed])
  const chosen = Math.min(at, found.length - 1)
  const go = (destination: Destination | undefined): void => {
    if (destination === undefined) return
    onClose()
    void navigate(destination.to)
  }
  const move = (event: KeyboardEvent): void => {
    const steps: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1 }
    const step = steps[event.key]
    if (event.key === 'Enter') go(found[chosen])
    else if (step !== undefined && found.length > 0) setAt((chosen + step + found.length) % found.length)
    else return
    event.preventDefault()
  }
  return (
    <Dialog title="Go to" onClose={onClose}>
      <input
        className="input"
        role="combobox"
        aria-label="Name of a screen, a project or a key"
        aria-expanded
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        {...(chosen >= 0 ? { 'aria-activedescendant': `${id}-${chosen}` } : {})}
        autoFocus
        autoComplete="off"
        spellCheck={false}
        placeholder="A screen, a project, a key"
        value={typed}
        onChange={event => {
          setTyped(event.target.value)
          setAt(0)
        }}
        onKeyDown={move}
      />
      <ul id={`${id}-list`} role="listbox" aria-label="Found" className="palette">
        {found.map((destination, index) => (
          <li
            key={`${destination.kind} ${destination.to}`}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === chosen}
            className="palette__option"
            onPointerMove={() => setAt(index)}
            onClick={() => go(destination)}
          >
            <span className="palette__text">{destination.text}</span>
            <span className="palette__more">{destination.more}</span>
            <span className="chip">{destination.kind}</span>
          </li>
        ))}
      </ul>
      <p role="status" className="quiet small">
        {found.length === 0 ? 'Nothing is called that.' : '↑ and ↓ choose, Enter goes there.'}
      </p>
    </Dialog>
  )
}

/** What there is and not deleted; keys and projects as far as they are read already, the rest as it comes. */
function useDestinations(screens: readonly Destination[]): readonly Destination[] {
  const { data: projects } = useQuery(projectsQuery)
  const { data: keys } = useQuery(keysQuery)
  return useMemo(
    () => [
      ...screens,
      { to: newKeyPath(), text: 'Create key', more: '', kind: 'Do' as const },
      ...(projects ?? [])
        .filter(({ state }) => state === 'ACTIVE')
        .map(({ projectId, displayName }) => ({
          to: keysPath({ project: projectId }),
          text: displayName ?? projectId,
          more: projectId,
          kind: 'Project' as const,
        })),
      ...(keys ?? [])
        .filter(({ state }) => state !== 'DELETED')
        .map(({ name, displayName, maskedKeyString }) => {
          const [, number = '', , , , key = ''] = name.split('/')
          const project = projects?.find(other => other.name === `projects/${number}`)?.projectId ?? number
          const more = `${displayName === undefined ? '' : `${key} `}${maskedKeyString}`
          const to = keyPath({ project, key })
          return { to, text: displayName ?? key, more, kind: 'Key' as const }
        }),
    ],
    [screens, projects, keys],
  )
}
