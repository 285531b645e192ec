/** A body as one reads it: JSON indented, events of a stream one below the other. What is neither stays as it is. */
export function bodyText(text: string): string {
  const whole = indented(text)
  if (whole !== null) return whole
  if (!text.startsWith('data:')) return text
  return text
    .split(/\r?\n\r?\n/)
    .filter(event => event.trim() !== '')
    .map(event => indented(event.replace(/^data:/, '')) ?? event)
    .join('\n\n')
}

/** Null where it is no JSON, as what was cut off is. */
function indented(text: string): string | null {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return null
  }
}
