import { type KeyStatus, STATUS_TEXT } from './rows.ts'

const LOOKS: Readonly<Record<KeyStatus, string>> = {
  active: 'fine',
  unrestricted: 'look',
  'over-cap': 'wrong',
  disabled: 'off',
  expired: 'off',
  deleted: 'off',
}

export function StatusMark({ status }: { readonly status: KeyStatus }) {
  return <span className={`status status--${LOOKS[status]}`}>{STATUS_TEXT[status]}</span>
}

export function Chips({ chips }: { readonly chips: readonly string[] }) {
  return (
    <ul className="chips">
      {chips.map(chip => (
        <li key={chip} className="chip" title={chip}>
          {chip}
        </li>
      ))}
    </ul>
  )
}
