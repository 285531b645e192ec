/** What a caller is told when the database fails. The real error goes along as the cause, for the log. */
import { ApiError } from '../domain/error.ts'
import type { Engine } from './engine.ts'

/** The ApiError for anything a method of the store throws. */
export function toApiError(error: unknown, engine: Engine): ApiError {
  if (error instanceof ApiError) return error
  const failure = engine.failureOf(error)
  if (failure === 'unavailable') {
    return new ApiError(
      'STORAGE_UNAVAILABLE',
      'The database does not answer. Try again; if this lasts, look whether it runs and has space.',
      { cause: error },
    )
  }
  if (failure === 'text') {
    return new ApiError(
      'FIELD_INVALID',
      'A text of the request contains the character U+0000, which cannot be stored. Leave it out.',
      { cause: error },
    )
  }
  return new ApiError('INTERNAL', 'Something went wrong inside Pollux. Its log says more.', { cause: error })
}

/** The ApiError for a database that could not be opened at start. */
export function toOpenError(error: unknown, place: string): ApiError {
  if (error instanceof ApiError) return error
  return new ApiError(
    'STORAGE_UNAVAILABLE',
    `The database at ${place} cannot be opened (${shortReason(error)}). Check that the address is right, that it ` +
      'runs, and that Pollux may read and write it.',
    { cause: error },
  )
}

/** The innermost reason: a pool and an address with several interfaces wrap the error that tells. */
function shortReason(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return shortReason(error.errors[0])
  if (!(error instanceof Error)) return 'unknown reason'
  if (error.cause !== undefined) return shortReason(error.cause)
  return error.message === '' && 'code' in error ? String(error.code) : error.message
}
