import { type ReactNode, useId } from 'react'
import './ui.css'

interface FieldProps {
  readonly label: string
  readonly hint?: ReactNode
  /** What is wrong with the value, and what would be right; null while it is right. */
  readonly problem?: string | null
}

interface TextProps extends FieldProps {
  readonly value: string
  readonly onChange: (value: string) => void
  readonly placeholder?: string
  readonly type?: 'text' | 'email' | 'password' | 'search' | 'date' | 'datetime-local'
  readonly autoComplete?: string
  readonly autoFocus?: boolean
  readonly readOnly?: boolean
  /** More than one line. */
  readonly lines?: number
  /** Suggestions. */
  readonly options?: readonly string[]
}

/** A label over an input, its hint and its problem under it, tied together for screen readers. */
export function TextField({
  label,
  hint,
  problem = null,
  value,
  onChange,
  lines,
  options,
  ...rest
}: TextProps) {
  const id = useId()
  const listId = `${id}-list`
  const input = {
    id,
    value,
    className: 'input',
    spellCheck: false,
    autoComplete: 'off',
    'aria-invalid': problem !== null,
    'aria-describedby': `${id}-hint`,
    ...rest,
  }
  return (
    <div className="field">
      <label className="field__label" htmlFor={id}>
        {label}
      </label>
      {lines === undefined ? (
        <input
          {...input}
          onChange={event => onChange(event.target.value)}
          {...(options === undefined ? {} : { list: listId })}
        />
      ) : (
        <textarea {...input} rows={lines} onChange={event => onChange(event.target.value)} />
      )}
      {options !== undefined && (
        <datalist id={listId}>
          {options.map(option => (
            <option key={option} value={option} />
          ))}
        </datalist>
      )}
      <Under id={id} hint={hint} problem={problem} />
    </div>
  )
}

interface SelectProps extends FieldProps {
  readonly value: string
  readonly onChange: (value: string) => void
  /** Value and what is shown for it. */
  readonly options: readonly (readonly [value: string, text: string])[]
}

export function SelectField({ label, hint, problem = null, value, onChange, options }: SelectProps) {
  const id = useId()
  return (
    <div className="field">
      <label className="field__label" htmlFor={id}>
        {label}
      </label>
      <select
        id={id}
        className="input"
        value={value}
        aria-describedby={`${id}-hint`}
        onChange={event => onChange(event.target.value)}
      >
        {options.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
      <Under id={id} hint={hint} problem={problem} />
    </div>
  )
}

interface CheckProps {
  readonly label: string
  readonly isChecked: boolean
  readonly onChange: (isChecked: boolean) => void
}

export function CheckField({ label, isChecked, onChange }: CheckProps) {
  return (
    <label className="choice">
      <input type="checkbox" checked={isChecked} onChange={event => onChange(event.target.checked)} />
      {label}
    </label>
  )
}

interface RadioProps {
  readonly legend: string
  readonly value: string
  readonly onChange: (value: string) => void
  readonly options: readonly (readonly [value: string, text: string])[]
}

/** One of a few, all in sight. */
export function RadioField({ legend, value, onChange, options }: RadioProps) {
  const name = useId()
  return (
    <fieldset className="field">
      <legend className="field__label">{legend}</legend>
      <div className="choice-row">
        {options.map(([option, text]) => (
          <label key={option} className="choice">
            <input
              type="radio"
              name={name}
              value={option}
              checked={option === value}
              onChange={() => onChange(option)}
            />
            {text}
          </label>
        ))}
      </div>
    </fieldset>
  )
}

function Under({ id, hint, problem }: Pick<FieldProps, 'hint' | 'problem'> & { readonly id: string }) {
  return (
    <div id={`${id}-hint`} aria-live="polite">
      {problem !== null && problem !== undefined && <p className="field__problem">{problem}</p>}
      {hint !== undefined && hint !== false && <p className="field__hint">{hint}</p>}
    </div>
  )
}
