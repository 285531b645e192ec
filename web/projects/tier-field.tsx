import { useQuery } from '@tanstack/react-query'
import { idOf } from '../keys/rows.ts'
import { tiersQuery } from '../limits/queries.ts'
import { SelectField } from '../ui/field.tsx'

interface TierFieldProps {
  /** Empty: none. */
  readonly value: string
  readonly onChange: (tier: string) => void
}

export function TierField({ value, onChange }: TierFieldProps) {
  const { data: tiers = [] } = useQuery(tiersQuery)
  return (
    <SelectField
      label="Tier"
      value={value}
      onChange={onChange}
      hint="A named set of limits and of what may be called. None: only limits of its own."
      options={[
        ['', 'None'],
        ...tiers.map(({ name, displayName }) => [idOf(name), displayName || idOf(name)] as const),
      ]}
    />
  )
}
