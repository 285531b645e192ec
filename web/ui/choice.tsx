import './ui.css'

interface ChoiceProps {
  readonly label: string
  readonly value: string
  readonly onChange: (value: string) => void
  readonly children: readonly (readonly [string, string])[]
}

/** A filter by one of some values, or by none of them. */
export function Choice({ label, value, onChange, children }: ChoiceProps) {
  return (
    <select
      className="input"
      aria-label={label}
      value={value}
      onChange={event => onChange(event.target.value)}
    >
      <option value="">{label}: any</option>
      {children.map(([value, text]) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </select>
  )
}
