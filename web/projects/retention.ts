/** How long bodies of calls are kept, as it is chosen and said. */
const CHOICES_HOURS = [1, 6, 24, 72, 168, 336, 720]
const DAY_HOURS = 24

/** `24 hours`, `7 days`. */
export function retentionText(hours: number): string {
  if (hours === 1) return '1 hour'
  return hours > DAY_HOURS && hours % DAY_HOURS === 0 ? `${hours / DAY_HOURS} days` : `${hours} hours`
}

/** Values and texts to choose from; what is set now is among them. Empty: not at all. */
export function retentionOptions(now: number | null): readonly (readonly [string, string])[] {
  const hours = [...new Set([...CHOICES_HOURS, ...(now === null ? [] : [now])])]
  return [
    ['', 'Not at all'],
    ...hours
      .toSorted((one, other) => one - other)
      .map(choice => [String(choice), `For ${retentionText(choice)}`] as const),
  ]
}
