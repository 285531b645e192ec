import { randomUUID } from 'node:crypto'
import { beforeEach, expect, test } from 'vitest'
import { digestOf } from '../src/domain/digest.ts'
import { SEEN_EVERY_MS, SESSION_IDLE_MS } from '../src/domain/session.ts'
import type { Passkey } from '../src/domain/user.ts'
import type { LinkKind, SessionDraft } from '../src/storage/people.ts'
import type { Storage } from '../src/storage/storage.ts'
import { auditEntry, describeOnBothEngines, reasonOf } from './storage-fixture.ts'

const NOW_MS = 1_800_000_000_000

function sessionDraft(userUid: string, part: Partial<SessionDraft> = {}): SessionDraft {
  const uid = randomUUID()
  const facts = { nowMs: NOW_MS, callerIp: '127.0.0.1', userAgent: 'test' }
  return { uid, digest: digestOf(uid), userUid, method: 'password', passwordHash: null, ...facts, ...part }
}

function linkDraft(kind: LinkKind, userUid: string | null) {
  return { digest: digestOf(randomUUID()), kind, userUid, expireTimeMs: NOW_MS + 1_000 }
}

function passkey(userUid: string, counter: number): Passkey {
  const times = { createTimeMs: NOW_MS, lastUseTimeMs: null }
  return {
    id: randomUUID(),
    userUid,
    displayName: 'Key',
    publicKey: 'AA',
    counter,
    transports: ['usb'],
    ...times,
  }
}

describeOnBothEngines('people', engine => {
  let storage: Storage
  beforeEach(async () => {
    storage = await engine.open()
  })
  const person = (email: string) => ({ uid: randomUUID(), email, displayName: email })
  const invite = async (email: string) => {
    const draft = { ...person(email), role: null }
    return await storage.users.create(draft, linkDraft('invite', draft.uid), auditEntry())
  }

  test('a link is accepted by one of many at once, and whoever is late changes nothing', async () => {
    const link = linkDraft('setUp', null)
    await storage.links.issue(link, auditEntry())
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => {
        const user = person(`p${index}@example.com`)
        const outcome = { user, passwordHash: 'hash', passkey: null, session: sessionDraft(user.uid) }
        return storage.links.accept({ digest: link.digest, nowMs: NOW_MS }, outcome, auditEntry())
      }),
    )
    expect(answers.filter(answer => answer !== null)).toHaveLength(1)
    expect((await storage.users.list({ limit: 50, cursor: null })).items).toHaveLength(1)
    expect(await reasonOf(storage.links.issue(linkDraft('setUp', null), auditEntry()))).toBe('STATE_CONFLICT')
  })

  test('a link is worth nothing from the millisecond it expires', async () => {
    const link = linkDraft('setUp', null)
    await storage.links.issue(link, auditEntry())
    expect(await storage.links.find(link.digest, link.expireTimeMs - 1)).toEqual({
      kind: 'setUp',
      user: null,
    })
    expect(await storage.links.find(link.digest, link.expireTimeMs)).toBeNull()
  })

  test('two invitations of one address at once make one account', async () => {
    const answers = await Promise.all(
      [1, 2, 3].map(() => reasonOf(invite('twice@example.com')).catch(() => 'made')),
    )
    expect(answers.toSorted()).toEqual(['ALREADY_EXISTS', 'ALREADY_EXISTS', 'made'])
  })

  test('no session opens for who is disabled or unknown, or with a password that was replaced meanwhile', async () => {
    const { uid } = await invite('ada@example.com')
    const open = (draft: SessionDraft) => storage.sessions.open(draft, null, auditEntry())
    await storage.users.setPassword(uid, { passwordHash: 'new', keepSessionUid: '' }, auditEntry())
    expect(await open(sessionDraft(uid, { passwordHash: 'old' }))).toBeNull()
    expect(await open(sessionDraft('nobody'))).toBeNull()
    const draft = sessionDraft(uid, { passwordHash: 'new' })
    expect(await open(draft)).toMatchObject({ email: 'ada@example.com', lastSignInTimeMs: NOW_MS })
    await storage.users.setDisabled(uid, NOW_MS, auditEntry())
    expect(await storage.sessions.find(draft.digest)).toBeNull()
    expect(await open(sessionDraft(uid))).toBeNull()
  })

  test('a session is renewed under a new digest, and the old one finds nothing', async () => {
    const { uid } = await invite('ada@example.com')
    const draft = sessionDraft(uid)
    await storage.sessions.open(draft, null, auditEntry())
    const renewal = { uid: draft.uid, digest: digestOf('next'), nowMs: NOW_MS + 5 }
    expect(await storage.sessions.renew(renewal, auditEntry())).toBe(true)
    expect(await storage.sessions.find(draft.digest)).toBeNull()
    expect((await storage.sessions.find(renewal.digest))?.session.proofTimeMs).toBe(NOW_MS + 5)
    expect(await storage.sessions.renew({ ...renewal, uid: 'gone' }, auditEntry())).toBe(false)
  })

  test('a challenge is taken once, in time, and as what it is', async () => {
    const challenge = { digest: 'c', kind: 'oidc', content: '{}', expireTimeMs: NOW_MS + 10 }
    await storage.signIns.putChallenge(challenge, NOW_MS)
    expect(await storage.signIns.takeChallenge({ digest: 'c', kind: 'passkeyNew' }, NOW_MS)).toBeNull()
    const takes = await Promise.all([1, 2, 3].map(() => storage.signIns.takeChallenge(challenge, NOW_MS)))
    expect(takes.filter(content => content === '{}')).toHaveLength(1)
    await storage.signIns.putChallenge(challenge, NOW_MS)
    expect(await storage.signIns.takeChallenge(challenge, NOW_MS + 10)).toBeNull()
  })

  test('attempts are counted one by one however many come at once, and anew after their span', async () => {
    const span = { nowMs: NOW_MS, spanMs: 100 }
    const counts = await Promise.all(Array.from({ length: 20 }, () => storage.signIns.attempt('b', span)))
    expect(counts.map(({ count }) => count).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    )
    expect(await storage.signIns.attempt('b', { nowMs: NOW_MS + 99, spanMs: 100 })).toEqual({
      count: 21,
      expireTimeMs: NOW_MS + 100,
    })
    expect(await storage.signIns.attempt('b', { nowMs: NOW_MS + 100, spanMs: 100 })).toEqual({
      count: 1,
      expireTimeMs: NOW_MS + 200,
    })
  })

  test('a passkey that counts has to count up; one that does not may stay at zero', async () => {
    const { uid } = await invite('ada@example.com')
    const [counting, still] = [passkey(uid, 5), passkey(uid, 0)]
    await storage.passkeys.add(counting, auditEntry())
    await storage.passkeys.add(still, auditEntry())
    const use = (id: string, counter: number) => storage.passkeys.used(id, { counter, nowMs: NOW_MS })
    expect([await use(counting.id, 5), await use(counting.id, 0), await use(counting.id, 6)]).toEqual([
      false,
      false,
      true,
    ])
    expect([
      await use(still.id, 0),
      await use(still.id, 0),
      await use(still.id, 1),
      await use(still.id, 0),
    ]).toEqual([true, true, true, false])
    expect(await reasonOf(storage.passkeys.remove('somebody else', still.id, auditEntry()))).toBe(
      'RESOURCE_NOT_FOUND',
    )
  })

  test('what has expired is purged, and what has not stays', async () => {
    const { uid } = await invite('ada@example.com')
    const [old, current] = [sessionDraft(uid), sessionDraft(uid, { nowMs: NOW_MS + SESSION_IDLE_MS })]
    await storage.sessions.open(old, null, auditEntry())
    await storage.sessions.open(current, null, auditEntry())
    await storage.sessions.seen(current.uid, NOW_MS + SESSION_IDLE_MS + SEEN_EVERY_MS)
    await storage.signIns.purge(NOW_MS + SESSION_IDLE_MS)
    expect((await storage.sessions.list(uid)).map(session => [session.uid, session.lastSeenTimeMs])).toEqual([
      [current.uid, NOW_MS + SESSION_IDLE_MS + SEEN_EVERY_MS],
    ])
  })

  test('a sign-in is no change that nodes have to drop their keys for', async () => {
    const { uid } = await invite('ada@example.com')
    const changes: unknown[] = []
    storage.onChange(change => void changes.push(change))
    await storage.sessions.open(sessionDraft(uid), null, auditEntry())
    expect(changes).toEqual([])
  })
})
