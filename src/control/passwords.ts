/** Passwords: which are refused, and how they are stored. */
import { hash, verify } from '@node-rs/argon2'
import type { ZxcvbnFactory } from '@zxcvbn-ts/core'
import { ApiError, invalidField } from '../domain/error.ts'

const LENGTH_MIN = 12
const LENGTH_MAX = 256
/** Of 4: beyond 10^8 guesses, for somebody who knows the lists and the person's name. */
const SCORE_MIN = 3
/** What has to be left without the words of the person's name and address. */
const REST_LENGTH_MIN = 8
const WORD_LENGTH_MIN = 3

/** argon2id with OWASP's parameters (password storage cheat sheet): 19 MiB, two passes. */
const ARGON2 = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

/** Each takes a thread of the pool that files are read with, and 19 MiB. */
const HASHES_AT_ONCE_MAX = 2
const HASHES_WAITING_MAX = 64

let estimator: Promise<ZxcvbnFactory> | null = null

/** Lists of common and leaked passwords, and keyboard patterns: some megabytes, read when the first password is set. */
async function loadEstimator(): Promise<ZxcvbnFactory> {
  const [{ ZxcvbnFactory }, { dictionary, adjacencyGraphs }] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
  ])
  return new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs })
}

/** Throws FIELD_INVALID for a password that is short, on a list, or easily guessed by who knows `personal`. */
export async function assertStrongPassword(password: string, personal: readonly string[]): Promise<void> {
  const { length } = Array.from(password)
  if (length < LENGTH_MIN || length > LENGTH_MAX) {
    throw invalidField('password', `use ${LENGTH_MIN} to ${LENGTH_MAX} characters`)
  }
  const known = ['pollux', ...personal.flatMap(text => text.toLowerCase().split(/[\s@.]+/))].filter(
    word => word.length >= WORD_LENGTH_MIN,
  )
  const { score } = (await (estimator ??= loadEstimator())).check(password, known)
  const rest = known.reduce((text, word) => text.replaceAll(word, ''), password.toLowerCase())
  if (score >= SCORE_MIN && rest.length >= REST_LENGTH_MIN) return
  throw invalidField(
    'password',
    'it is on lists of leaked passwords, or made of what is on them. Use several words that do not belong together, or let a password manager make one',
  )
}

/** The PHC string to store. Throws OVERLOADED. */
export async function hashPassword(password: string): Promise<string> {
  return await inTurn(() => hash(normalised(password), ARGON2))
}

/**
 * Whether the password is the one of the hash. Without a hash it takes as long and is false: the time does not tell who
 * has an account. Throws OVERLOADED.
 */
export async function isPassword(password: string, passwordHash: string | null): Promise<boolean> {
  const against = passwordHash ?? (await (decoy ??= hash('nobody has this password', ARGON2)))
  const isSame = await inTurn(() => verify(against, normalised(password)))
  return isSame && passwordHash !== null
}

let decoy: Promise<string> | null = null

/** Keyboards write the same letter in more than one way (NIST SP 800-63B, 3.1.1.2). */
function normalised(password: string): string {
  return password.normalize('NFKC')
}

let underWay = 0
const waiting: (() => void)[] = []

async function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
  if (underWay >= HASHES_AT_ONCE_MAX) {
    if (waiting.length >= HASHES_WAITING_MAX) {
      throw new ApiError('OVERLOADED', 'Too many people are signing in. Try again in some seconds.')
    }
    // Whoever leaves hands its turn on, so `underWay` stays as it is.
    await new Promise<void>(resolve => waiting.push(resolve))
  } else {
    underWay += 1
  }
  try {
    return await work()
  } finally {
    const next = waiting.shift()
    if (next === undefined) underWay -= 1
    else next()
  }
}
