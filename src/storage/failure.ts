/** What a caller is told when the database fails. The real error goes along as the cause, for the log. */
import { ApiError } from '../domain/error.ts'
import { type Engine, type EngineChoice, isDamage, placeOf } from './engine.ts'

/** The ApiError for anything a method of the store throws. */
export function toApiError(error: unknown, engine: Engine): ApiError {
  if (error instanceof ApiError) return error
  const failure = engine.failureOf(error)
  if (failure === 'damaged') return databaseDamaged(engine.place, [shortReason(error)], error)
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
export function toOpenError(error: unknown, choice: EngineChoice): ApiError {
  if (error instanceof ApiError) return error
  const place = placeOf(choice)
  if (isDamage(error)) return databaseDamaged(place, [shortReason(error)], error)
  return new ApiError(
    'STORAGE_UNAVAILABLE',
    `The database at ${place} cannot be opened (${shortReason(error)}). Check that the address is right, that it ` +
      'runs, and that Pollux may read and write it.',
    { cause: error },
  )
}

/** DATABASE_DAMAGED: what is stored cannot be relied on, so no call that costs money is let in. */
export function databaseDamaged(place: string, problems: readonly string[], cause?: unknown): ApiError {
  return new ApiError(
    'DATABASE_DAMAGED',
    `The database at ${place} is damaged: ${problems.join('; ')}. Nothing is spent on figures that cannot be relied on. ` +
      'Stop Pollux and keep a copy of everything as it is; look whether the disk is failing; then fill an empty database ' +
      'from the newest backup with `pollux restore FILE` (docs/faults.md, "A damaged database").',
    { cause },
  )
}

/** The innermost reason: a pool and an address with several interfaces wrap the error that tells. */
function shortReason(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return shortReason(error.errors[0])
  if (!(error instanceof Error)) return 'unknown reason'
  if (error.cause !== undefined) return shortReason(error.cause)
  return error.message === '' && 'code' in error ? String(error.code) : error.message
}
