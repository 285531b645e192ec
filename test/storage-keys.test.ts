import { beforeAll, expect, test } from 'vitest'
import type { Key } from '../src/domain/key.ts'
import type { Project } from '../src/domain/project.ts'
import type { Change, KeyDraft, KeyPatch, Storage } from '../src/storage/storage.ts'
import { openEngine } from '../src/storage/engine.ts'
import type { Place } from './storage-fixture.ts'
import {
  auditEntry,
  budgetDraft,
  createProject,
  describeOnBothEngines,
  keyDraft,
  reasonOf,
  refusal,
  usageRecord,
} from './storage-fixture.ts'

const NO_QUOTA = { tier: null, projectLimits: [], keyLimits: [] }

const DAY_MS = 86_400_000

const noEtag = (key: Key) => ({ id: key.uid, etag: null })

/** Changes keys of one project, leaving out what most tests do not vary. */
function keysOf(storage: Storage, projectNumber: string) {
  const { keys } = storage
  return {
    create: (part: Partial<KeyDraft> = {}) => keys.create(keyDraft(projectNumber, part), auditEntry(), null),
    update: (key: Key, patch: KeyPatch) => keys.update(noEtag(key), patch, auditEntry(), null),
    delete: (key: Key, unusedSinceMs: number | null = null) =>
      keys.delete({ ...noEtag(key), unusedSinceMs }, auditEntry(), null),
    undelete: (key: Key) => keys.undelete(noEtag(key), auditEntry(), null),
  }
}

describeOnBothEngines('keys', engine => {
  let storage: Storage
  let place: Place
  let project: Project
  let keys: ReturnType<typeof keysOf>
  beforeAll(async () => {
    place = await engine.place()
    storage = await engine.open(place)
    project = await createProject(storage)
    keys = keysOf(storage, project.number)
  })

  test('a created key is found by id, uid and digest, as it was returned', async () => {
    const draft = keyDraft(project.number, {
      keyId: 'web-shop',
      annotations: { owner: 'shop' },
      restrictions: { serverKeyRestrictions: { allowedIps: ['10.0.0.0/8'] }, apiTargets: [{ service: 's' }] },
      expireTimeMs: 4_000_000_000_000,
      allowedModels: ['gemini-2.5-*'],
      allowedTools: ['googleSearch'],
      environment: 'staging',
    })
    const operation = { name: 'operations/akmf.1', verb: 'CreateKey' }
    const made = await storage.keys.create(draft, auditEntry(), operation)
    const { digest, ...visible } = draft
    expect(made).toEqual({
      ...visible,
      lineage: made.uid,
      etag: expect.stringMatching(/^W\/"[A-Za-z0-9+/]{22}=="$/),
      createTimeMs: made.createTimeMs,
      updateTimeMs: made.createTimeMs,
      deleteTimeMs: null,
      disabledTimeMs: null,
      lastUsedTimeMs: null,
    })
    expect(await storage.keys.find(project.number, 'web-shop')).toEqual(made)
    expect(await storage.keys.find(project.number, draft.uid)).toEqual(made)
    expect(await storage.keys.findByDigest(digest)).toEqual({
      key: made,
      project,
      budgets: [],
      quota: NO_QUOTA,
    })
    expect((await storage.operations.find(operation.name))?.resource).toEqual(made)
  })

  test('a successor has the lineage of a key of its project, and that key’s budgets with it', async () => {
    const first = await keys.create()
    const part = { scope: 'key', projectNumber: project.number, lineage: first.lineage } as const
    const { uid } = await storage.budgets.create(budgetDraft(part), auditEntry())
    const draft = keyDraft(project.number, { lineage: first.lineage })
    const successor = await storage.keys.create(draft, auditEntry(), null)
    expect([successor.lineage, successor.uid]).toEqual([first.uid, draft.uid])
    const grant = await storage.keys.findByDigest(draft.digest)
    expect(grant?.budgets.map(budget => budget.uid)).toEqual([uid])
    // The lineage lives as long as one of its keys.
    const deleted = await keys.delete(first)
    await storage.keys.purge((deleted.deleteTimeMs ?? 0) + 1, auditEntry())
    await keys.create({ lineage: successor.lineage })
    const other = keysOf(storage, (await createProject(storage)).number)
    expect(await reasonOf(other.create({ lineage: first.lineage }))).toBe('RESOURCE_NOT_FOUND')
    expect(await reasonOf(keys.create({ lineage: 'none' }))).toBe('RESOURCE_NOT_FOUND')
  })

  test('a key without an id of its own is found under its uid, and only in its project', async () => {
    const made = await keys.create()
    expect(made.keyId).toBe(made.uid)
    expect(await storage.keys.find('100000000000', made.uid)).toBeNull()
    expect(await storage.keys.findByDigest('unknown')).toBeNull()
  })

  test('an id is taken until its key is purged', async () => {
    const made = await keys.create({ keyId: 'twice' })
    expect(await reasonOf(keys.create({ keyId: 'twice' }))).toBe('ALREADY_EXISTS')
    const deleted = await keys.delete(made)
    const taken = await refusal(keys.create({ keyId: 'twice' }))
    expect(taken).toMatchObject({ reason: 'ALREADY_EXISTS', message: expect.stringContaining('twice') })
    expect(await storage.keys.purge(deleted.deleteTimeMs ?? 0, auditEntry())).toBe(0)
    expect(await storage.keys.purge((deleted.deleteTimeMs ?? 0) + 1, auditEntry())).toBe(1)
    expect(await storage.keys.find(project.number, 'twice')).toBeNull()
    expect(await reasonOf(keys.undelete(deleted))).toBe('RESOURCE_NOT_FOUND')
    await keys.create({ keyId: 'twice' })
  })

  test('what does not exist is RESOURCE_NOT_FOUND', async () => {
    const none = { ...(await keys.create()), uid: 'no-such-key' }
    expect(await reasonOf(keys.update(none, {}))).toBe('RESOURCE_NOT_FOUND')
    expect(await reasonOf(keys.delete(none))).toBe('RESOURCE_NOT_FOUND')
    expect(await reasonOf(keys.undelete(none))).toBe('RESOURCE_NOT_FOUND')
    expect(await reasonOf(keysOf(storage, '100000000000').create())).toBe('RESOURCE_NOT_FOUND')
  })

  test.each<[string, KeyPatch]>([
    ['display name', { displayName: 'other' }],
    ['annotations', { annotations: { a: 'b' } }],
    ['restrictions', { restrictions: { browserKeyRestrictions: { allowedReferrers: ['example.com'] } } }],
    ['no restrictions', { restrictions: null }],
    ['expire time', { expireTimeMs: 1_900_000_000_000 }],
    ['disabled time', { disabledTimeMs: 1_700_000_000_000 }],
    ['allowed models', { allowedModels: [] }],
    ['allowed tools', { allowedTools: ['urlContext'] }],
    ['environment', { environment: 'development' }],
    ['nothing', {}],
  ])('a patch of %s sets that alone, and moves etag and update time', async (_what, patch) => {
    const before = await keys.create({ restrictions: {}, allowedModels: ['m'] })
    const after = await keys.update(before, patch)
    expect(after).toEqual({ ...before, ...patch, etag: after.etag, updateTimeMs: after.updateTimeMs })
    expect(after.etag).not.toBe(before.etag)
    expect(await storage.keys.find(project.number, before.uid)).toEqual(after)
  })

  test('a stale etag stops update, delete and undelete', async () => {
    const first = await keys.create()
    const second = await keys.update(first, {})
    const stale = { id: first.uid, etag: first.etag }
    const unusedSinceMs = null
    expect(await reasonOf(storage.keys.update(stale, {}, auditEntry(), null))).toBe('ETAG_MISMATCH')
    expect(await reasonOf(storage.keys.delete({ ...stale, unusedSinceMs }, auditEntry(), null))).toBe(
      'ETAG_MISMATCH',
    )
    const current = { id: first.uid, etag: second.etag, unusedSinceMs }
    await storage.keys.delete(current, auditEntry(), null)
    expect(await reasonOf(storage.keys.undelete(current, auditEntry(), null))).toBe('ETAG_MISMATCH')
  })

  test('of 20 concurrent updates with one etag exactly one wins', async () => {
    const { uid: id, etag } = await keys.create()
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, writer) =>
        storage.keys.update({ id, etag }, { displayName: `writer ${writer}` }, auditEntry(), null),
      ),
    )
    const won = results.filter(result => result.status === 'fulfilled')
    expect(won).toHaveLength(1)
    expect(await storage.keys.find(project.number, id)).toEqual(won[0]?.value)
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ reason: 'ETAG_MISMATCH' })
    }
  })

  test('deleted keys cannot be updated or deleted, live ones not undeleted', async () => {
    const key = await keys.create()
    expect(await reasonOf(keys.undelete(key))).toBe('STATE_CONFLICT')
    const deleted = await keys.delete(key)
    expect((await storage.keys.findByDigest(`digest of ${key.uid}`))?.key).toEqual(deleted)
    expect(await reasonOf(keys.update(key, {}))).toBe('STATE_CONFLICT')
    expect(await reasonOf(keys.delete(key))).toBe('STATE_CONFLICT')
    expect((await keys.undelete(key)).deleteTimeMs).toBeNull()
  })

  test('a key deleted more than 30 days ago cannot be undeleted', async () => {
    const [young, old] = [await keys.create(), await keys.create()]
    const direct = openEngine(place.engine)
    for (const [key, ageMs] of [
      [young, 30 * DAY_MS - 60_000],
      [old, 30 * DAY_MS + 1_000],
    ] as const) {
      await keys.delete(key)
      await direct.db
        .updateTable('key')
        .set({ delete_time: Date.now() - ageMs })
        .where('uid', '=', key.uid)
        .execute()
    }
    await direct.db.destroy()
    await keys.undelete(young)
    const late = await refusal(keys.undelete(old))
    expect(late).toMatchObject({ reason: 'STATE_CONFLICT', message: expect.stringContaining('30 days') })
  })

  test('changes of a key are told before their promise resolves', async () => {
    const seen: Change[] = []
    storage.onChange(change => seen.push(change))
    const key = await keys.create()
    const told = [{ kind: 'key', keyUid: key.uid }]
    expect(seen.splice(0)).toEqual(told)
    await keys.update(key, { disabledTimeMs: 1 })
    expect(seen.splice(0)).toEqual(told)
    await keys.delete(key)
    expect(seen.splice(0)).toEqual(told)
    await keys.undelete(key)
    expect(seen.splice(0)).toEqual(told)
  })
})

describeOnBothEngines('keys of a deleted project', engine => {
  test('stay as they are, cannot be changed, and go with the project when it is purged', async () => {
    const storage = await engine.open()
    const project = await createProject(storage)
    const keys = keysOf(storage, project.number)
    const [live, deleted] = [await keys.create(), await keys.create()]
    await keys.delete(deleted)
    const target = { id: project.number, etag: null }
    const gone = await storage.projects.delete(target, auditEntry(), null)
    const grant = await storage.keys.findByDigest(`digest of ${live.uid}`)
    expect(grant).toEqual({ key: live, project: gone, budgets: [], quota: NO_QUOTA })
    const refused = [keys.create(), keys.update(live, {}), keys.delete(live), keys.undelete(deleted)]
    expect(new Set(await Promise.all(refused.map(reasonOf)))).toEqual(new Set(['STATE_CONFLICT']))
    const seen: Change[] = []
    storage.onChange(change => seen.push(change))
    expect(await storage.keys.purge(Date.now() + DAY_MS, auditEntry())).toBe(3)
    expect(seen).toEqual([{ kind: 'all' }])
    expect(await storage.keys.findByDigest(`digest of ${live.uid}`)).toBeNull()
    expect(await storage.projects.find(project.number)).toBeNull()
    expect(await reasonOf(keys.create())).toBe('RESOURCE_NOT_FOUND')
  })
})

describeOnBothEngines('the limit of 300 keys', engine => {
  test('holds against 50 concurrent creations, counts live keys only, and guards undeletion', async () => {
    const storage = await engine.open()
    const project = await createProject(storage)
    const keys = keysOf(storage, project.number)
    const made = await Promise.all(Array.from({ length: 290 }, () => keys.create()))
    const results = await Promise.allSettled(Array.from({ length: 50 }, () => keys.create()))
    expect(results.filter(result => result.status === 'fulfilled')).toHaveLength(10)
    for (const result of results) {
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({ reason: 'RESOURCE_QUOTA_EXCEEDED' })
    }
    const query = { projectNumber: project.number, limit: 1_000, cursor: null }
    expect((await storage.keys.list({ ...query, showDeleted: false })).items).toHaveLength(300)

    const [first, second] = made as [Key, Key]
    await keys.delete(first)
    const deletions = await Promise.allSettled(Array.from({ length: 10 }, () => keys.delete(second)))
    expect(deletions.filter(result => result.status === 'fulfilled')).toHaveLength(1)
    await keys.create()
    await keys.undelete(first)
    expect(await reasonOf(keys.undelete(second))).toBe('RESOURCE_QUOTA_EXCEEDED')
    expect((await storage.keys.list({ ...query, showDeleted: false })).items).toHaveLength(300)
    expect((await storage.keys.list({ ...query, showDeleted: true })).items).toHaveLength(301)
    expect(await refusal(keys.create())).toMatchObject({
      httpStatus: 429,
      message: expect.stringContaining(project.projectId),
      details: [{ reason: 'RESOURCE_QUOTA_EXCEEDED' }, { violations: [{}] }],
    })
  })
})

describeOnBothEngines('lists of keys', engine => {
  test('go by creation, page by page, of one project, with deleted keys if asked', async () => {
    const storage = await engine.open()
    const [project, other] = [await createProject(storage), await createProject(storage)]
    const keys = keysOf(storage, project.number)
    await keysOf(storage, other.number).create()
    const made = await Promise.all(Array.from({ length: 8 }, () => keys.create()))
    const gone = await keys.delete(made[3] as Key)
    const inOrder = made
      .map(key => (key.uid === gone.uid ? gone : key))
      .toSorted((a, b) => a.createTimeMs - b.createTimeMs || (a.uid < b.uid ? -1 : 1))
    for (const showDeleted of [false, true]) {
      const found: Key[] = []
      let cursor: string | null = null
      do {
        const query = { projectNumber: project.number, showDeleted, limit: 3, cursor }
        const page = await storage.keys.list(query)
        found.push(...page.items)
        cursor = page.nextCursor
      } while (cursor !== null)
      expect(found).toEqual(inOrder.filter(key => showDeleted || key.deleteTimeMs === null))
    }
    const query = { showDeleted: true, limit: 2, cursor: null }
    const { nextCursor } = await storage.keys.list({ ...query, projectNumber: project.number })
    const foreign = storage.keys.list({ ...query, projectNumber: other.number, cursor: nextCursor })
    expect(await reasonOf(foreign)).toBe('FIELD_INVALID')
  })
})

describeOnBothEngines('the usage check', engine => {
  const usedMs = Date.UTC(2026, 10, 20)

  test('sees a call that was appended just before, in deletes and updates', async () => {
    const storage = await engine.open()
    const { number } = await createProject(storage)
    const keys = keysOf(storage, number)
    const key = await keys.create()
    const call = { projectNumber: number, keyUid: key.uid, startTimeMs: usedMs }
    // Not awaited: the check itself has to wait for it.
    const appended = storage.usage.append(usageRecord(call), [])
    const inUse = await refusal(keys.delete(key, usedMs - 1))
    expect(inUse.reason).toBe('KEY_IN_USE')
    expect(inUse.message).toContain('2026-11-20T00:00:00.000Z')
    await appended
    expect(await reasonOf(keys.update(key, { unusedSinceMs: usedMs - 1 }))).toBe('KEY_IN_USE')
    expect((await storage.keys.find(number, key.uid))?.lastUsedTimeMs).toBe(usedMs)
    await keys.update(key, { unusedSinceMs: usedMs })
    expect((await keys.delete(key, usedMs)).deleteTimeMs).not.toBeNull()
  })

  test.each([
    ['posted', usedMs],
    ['unmetered', usedMs],
    ['estimated', usedMs],
    ['void', null],
  ] as const)('a call that ended as %s makes the last use %s', async (outcome, lastUsedTimeMs) => {
    const storage = await engine.open()
    const { number } = await createProject(storage)
    const keys = keysOf(storage, number)
    const key = await keys.create()
    await storage.usage.append(usageRecord({ keyUid: key.uid, outcome, startTimeMs: usedMs }), [])
    await storage.usage.append(
      usageRecord({ keyUid: key.uid, outcome, startTimeMs: usedMs - 5 * DAY_MS }),
      [],
    )
    const deletion = keys.delete(key, usedMs - 1)
    if (lastUsedTimeMs === null) await deletion
    else expect(await reasonOf(deletion)).toBe('KEY_IN_USE')
    expect((await storage.keys.find(number, key.uid))?.lastUsedTimeMs).toBe(lastUsedTimeMs)
  })
})
