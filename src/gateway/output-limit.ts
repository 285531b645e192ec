/**
 * Lowers the output limit inside a body. The text is edited rather than written anew, so that everything else stays as the
 * caller sent it, to the last digit.
 */

export interface OutputLimit {
  readonly maxOutputTokens: number
  /** null: as it is. */
  readonly thinkingBudget: number | null
}

/** The body with `generationConfig.maxOutputTokens` set, and thinkingBudget where given. `bytes` is strict JSON of an object. */
export function withOutputLimit(bytes: Buffer, limit: OutputLimit): Buffer {
  let text = bytes.toString('utf8')
  if (limit.thinkingBudget !== null) {
    const path = ['generationConfig', 'thinkingConfig', 'thinkingBudget']
    text = withNumber(text, path, limit.thinkingBudget)
  }
  return Buffer.from(withNumber(text, ['generationConfig', 'maxOutputTokens'], limit.maxOutputTokens))
}

/** The text with the number at `path` (lowerCamelCase) set; objects on the way are made where there are none. */
function withNumber(text: string, path: readonly string[], value: number): string {
  let start = skipBlank(text, 0)
  for (const [depth, name] of path.entries()) {
    const rest = path.slice(depth + 1)
    const made = rest.reduceRight((inner, key) => `{${JSON.stringify(key)}:${inner}}`, String(value))
    const member = findMember(text, start, name)
    if (member === null) return insertMember(text, start, `${JSON.stringify(name)}:${made}`)
    if (rest.length === 0 || text[member.start] !== '{')
      return text.slice(0, member.start) + made + text.slice(member.end)
    start = member.start
  }
  return text
}

function insertMember(text: string, start: number, member: string): string {
  const next = skipBlank(text, start + 1)
  const comma = text[next] === '}' ? '' : ','
  return `${text.slice(0, start + 1)}${member}${comma}${text.slice(start + 1)}`
}

/** Where the value of a member of the object at `start` stands, under either spelling; null where it has none. */
function findMember(text: string, start: number, name: string): { start: number; end: number } | null {
  const snake = name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
  let at = skipBlank(text, start + 1)
  while (text[at] === '"') {
    const keyEnd = skipString(text, at)
    const key = JSON.parse(text.slice(at, keyEnd)) as string
    const valueStart = skipBlank(text, skipBlank(text, keyEnd) + 1)
    const valueEnd = skipValue(text, valueStart)
    if (key === name || key === snake) return { start: valueStart, end: valueEnd }
    at = skipBlank(text, valueEnd)
    if (text[at] === ',') at = skipBlank(text, at + 1)
  }
  return null
}

function skipBlank(text: string, at: number): number {
  let next = at
  while (' \t\n\r'.includes(text[next] ?? '\0')) next++
  return next
}

function skipString(text: string, start: number): number {
  let at = start + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

/** The index after the value that starts at `start`. */
function skipValue(text: string, start: number): number {
  let depth = 0
  let at = start
  while (at < text.length) {
    const unit = text[at]
    if (unit === '"') {
      at = skipString(text, at)
      if (depth === 0) return at
      continue
    }
    if (depth === 0 && (unit === ',' || unit === '}' || unit === ']')) return at
    if (unit === '{' || unit === '[') depth++
    if (unit === '}' || unit === ']') depth--
    at++
    if (depth === 0 && (unit === '}' || unit === ']')) return at
  }
  return at
}
