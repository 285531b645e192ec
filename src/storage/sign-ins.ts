/** Sign-ins under way: challenges that can be taken once, counted attempts, browsers that are known. */
import { ApiError } from '../domain/error.ts'
import { SESSION_IDLE_MS, SESSION_MS } from '../domain/session.ts'
import type { Engine } from './engine.ts'
import type { Attempts, Challenge, SignInStore } from './people.ts'

/** Anybody may open one, so there is an end to how many are kept. They last minutes. */
const CHALLENGES_MAX = 10_000

export class SignIns implements SignInStore {
  readonly #engine: Engine

  constructor(engine: Engine) {
    this.#engine = engine
  }

  async putChallenge({ digest, kind, content, expireTimeMs }: Challenge, nowMs: number): Promise<void> {
    const { db } = this.#engine
    await db.deleteFrom('sign_in_challenge').where('expire_time', '<=', nowMs).execute()
    const { count } = await db
      .selectFrom('sign_in_challenge')
      .select(row => row.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
    if (count >= CHALLENGES_MAX) {
      throw new ApiError('OVERLOADED', 'Too many sign-ins are under way. Try again in some minutes.')
    }
    await db
      .insertInto('sign_in_challenge')
      .values({ digest, kind, content, expire_time: expireTimeMs })
      .execute()
  }

  async takeChallenge(
    { digest, kind }: Pick<Challenge, 'digest' | 'kind'>,
    nowMs: number,
  ): Promise<string | null> {
    const row = await this.#engine.db
      .deleteFrom('sign_in_challenge')
      .where('digest', '=', digest)
      .where('kind', '=', kind)
      .where('expire_time', '>', nowMs)
      .returning('content')
      .executeTakeFirst()
    return row?.content ?? null
  }

  async attempt(
    bucket: string,
    { nowMs, spanMs }: { readonly nowMs: number; readonly spanMs: number },
  ): Promise<Attempts> {
    const { attempts, expire_time: expireTimeMs } = await this.#engine.db
      .insertInto('sign_in_attempt')
      .values({ bucket, attempts: 1, expire_time: nowMs + spanMs })
      .onConflict(conflict =>
        conflict.column('bucket').doUpdateSet(row => ({
          attempts: row
            .case()
            .when('sign_in_attempt.expire_time', '<=', nowMs)
            .then(1)
            .else(row('sign_in_attempt.attempts', '+', 1))
            .end(),
          expire_time: row
            .case()
            .when('sign_in_attempt.expire_time', '<=', nowMs)
            .then(nowMs + spanMs)
            .else(row.ref('sign_in_attempt.expire_time'))
            .end(),
        })),
      )
      .returning(['attempts', 'expire_time'])
      .executeTakeFirstOrThrow()
    return { count: attempts, expireTimeMs }
  }

  async forgetAttempts(bucket: string): Promise<void> {
    await this.#engine.db.deleteFrom('sign_in_attempt').where('bucket', '=', bucket).execute()
  }

  async isKnownDevice(digest: string, userUid: string, nowMs: number): Promise<boolean> {
    const row = await this.#engine.db
      .selectFrom('known_device')
      .select('digest')
      .where('digest', '=', digest)
      .where('person_uid', '=', userUid)
      .where('expire_time', '>', nowMs)
      .executeTakeFirst()
    return row !== undefined
  }

  async rememberDevice(device: {
    readonly digest: string
    readonly userUid: string
    readonly expireTimeMs: number
  }): Promise<void> {
    const { digest, userUid, expireTimeMs } = device
    await this.#engine.db
      .insertInto('known_device')
      .values({ digest, person_uid: userUid, expire_time: expireTimeMs })
      .execute()
  }

  async purge(nowMs: number): Promise<number> {
    const { db } = this.#engine
    const removed = [
      await db
        .deleteFrom('session')
        .where(row =>
          row.or([
            row('create_time', '<=', nowMs - SESSION_MS),
            row('last_seen_time', '<=', nowMs - SESSION_IDLE_MS),
          ]),
        )
        .executeTakeFirst(),
      await db.deleteFrom('sign_in_link').where('expire_time', '<=', nowMs).executeTakeFirst(),
      await db.deleteFrom('sign_in_challenge').where('expire_time', '<=', nowMs).executeTakeFirst(),
      await db.deleteFrom('sign_in_attempt').where('expire_time', '<=', nowMs).executeTakeFirst(),
      await db.deleteFrom('known_device').where('expire_time', '<=', nowMs).executeTakeFirst(),
    ]
    return removed.reduce((sum, { numDeletedRows }) => sum + Number(numDeletedRows), 0)
  }
}
