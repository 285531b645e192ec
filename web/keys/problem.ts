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
