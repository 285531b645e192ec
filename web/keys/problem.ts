import { ApiError } from '../../src/domain/error.ts'

/** What a rule of the domain says about a value, without the name of the field in front; null when it agrees. */
export function problemOf(check: () => unknown): string | null {
  try {
    check()
    return null
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const text = error.message.replace(/^Invalid value at '[^']*': /, '')
    return text.charAt(0).toUpperCase() + text.slice(1)
  }
}
