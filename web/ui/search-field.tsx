import { useEffect, useRef, useState } from 'react'
import './ui.css'

/** After the last letter. So short that what was found is there within a tenth of a second. */
const PAUSE_MS = 40

interface SearchProps {
  readonly label: string
  readonly value: string
  readonly onChange: (value: string) => void
}

/** A search that shows each letter at once, and is told of when the typing pauses. */
export function SearchField({ label, value, onChange }: SearchProps) {
  const [text, setText] = useState(value)
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null)
  useEffect(() => {
    // What was cleared elsewhere is cleared here; what is being typed stays.
    if (timer.current === null) setText(value)
  }, [value])
  useEffect(() => () => clearTimeout(timer.current ?? undefined), [])
  return (
    <input
      type="search"
      className="input filters__search"
      aria-label={label}
      placeholder={label}
      value={text}
      onChange={event => {
        const typed = event.target.value
        setText(typed)
        clearTimeout(timer.current ?? undefined)
        timer.current = setTimeout(() => {
          timer.current = null
          onChange(typed)
        }, PAUSE_MS)
      }}
    />
  )
}
