import { ContractError } from '../../src/contract/client.ts'
import { ApiError } from '../../src/domain/error.ts'

/**
 * What a rule of the domain says about a value; null when it agrees. The name of the field is left out, since it stands
 * over the input; an entry of a list is named by its line.
 */
export function problemOf(check: () => unknown): string | null {
  try {
    check()
    return null
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const [, index, text = error.message] =
      /^(?:Invalid|Ambiguous) value at '[^'[]*(?:\[(\d+)\])?[^']*': (.*)$/s.exec(error.message) ?? []
    const sentence = text.charAt(0).toUpperCase() + text.slice(1)
    return index === undefined ? sentence : `Line ${Number(index) + 1}: ${text}`
  }
}

/** What the server says about one field, to stand under it; null when it says something else. */
export function problemAt(error: unknown, field: string): string | null {
  if (!(error instanceof ContractError)) return null
  const [, at, text = ''] = /^Invalid value at '([^']*)': (.*)$/s.exec(error.message) ?? []
  return at === field ? `${text.charAt(0).toUpperCase()}${text.slice(1)}.` : null
}
