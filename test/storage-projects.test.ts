import { beforeAll, expect, test } from 'vitest'
import type { Change, Storage } from '../src/storage/storage.ts'
import { auditEntry, createProject, describeOnBothEngines, reasonOf, refusal } from './storage-fixture.ts'

const HOUR_MS = 3_600_000

describeOnBothEngines('projects', engine => {
  let storage: Storage
  beforeAll(async () => {
    storage = await engine.open()
  })
  const noEtag = (id: string) => ({ id, etag: null })

  test('a created project is found by id and by number, as it was returned', async () => {
    const made = await storage.projects.create(
      {
        projectId: 'shop-web',
        displayName: 'Shop "web"',
        labels: { team: 'shop' },
        modelAliases: { 'gemini-pro': { model: 'gemini-2.5-pro', apiVersion: 'v1beta' } },
      },
      auditEntry(),
      { name: 'operations/cp.1', verb: 'CreateProject' },
    )
    expect(made).toMatchObject({
      number: expect.stringMatching(/^[1-9][0-9]{11}$/),
      projectId: 'shop-web',
      displayName: 'Shop "web"',
      parent: 'organizations/1',
      labels: { team: 'shop' },
      etag: expect.stringMatching(/^W\/"[A-Za-z0-9+/]{22}=="$/),
      deleteTimeMs: null,
      modelAliases: { 'gemini-pro': { model: 'gemini-2.5-pro', apiVersion: 'v1beta' } },
    })
    expect(await storage.projects.find('shop-web')).toEqual(made)
    expect(await storage.projects.find(made.number)).toEqual(made)
    expect(await storage.operations.find('operations/cp.1')).toEqual({
      name: 'operations/cp.1',
      verb: 'CreateProject',
      createTimeMs: made.createTimeMs,
      resource: made,
    })
  })

  test('what does not exist is null, and changing it is RESOURCE_NOT_FOUND', async () => {
    expect(await storage.projects.find('no-such-project')).toBeNull()
    expect(await storage.projects.find('123')).toBeNull()
    expect(await storage.operations.find('operations/none')).toBeNull()
    const target = noEtag('100000000000')
    expect(await reasonOf(storage.projects.update(target, {}, auditEntry(), null))).toBe('RESOURCE_NOT_FOUND')
    expect(await reasonOf(storage.projects.delete(target, auditEntry(), null))).toBe('RESOURCE_NOT_FOUND')
    expect(await reasonOf(storage.projects.undelete(target, auditEntry(), null))).toBe('RESOURCE_NOT_FOUND')
  })

  test('a project id is never given twice, not even after deletion and purge', async () => {
    const project = await createProject(storage, { projectId: 'taken-once' })
    const again = () => reasonOf(createProject(storage, { projectId: 'taken-once' }))
    expect(await again()).toBe('ALREADY_EXISTS')
    await storage.projects.delete(noEtag(project.number), auditEntry(), null)
    expect(await again()).toBe('ALREADY_EXISTS')
    expect(await storage.keys.purge(Date.now() + HOUR_MS, auditEntry())).toBe(1)
    expect(await storage.projects.find('taken-once')).toBeNull()
    expect(await again()).toBe('ALREADY_EXISTS')
  })

  test('of 20 concurrent creations of one id exactly one succeeds', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () => createProject(storage, { projectId: 'raced-for' })),
    )
    expect(results.filter(result => result.status === 'fulfilled')).toHaveLength(1)
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ reason: 'ALREADY_EXISTS' })
    }
  })

  test('an update sets only what the patch names, and moves etag and update time', async () => {
    const before = await createProject(storage, { displayName: 'before' })
    const after = await storage.projects.update(
      { id: before.number, etag: before.etag },
      { labels: { a: 'b' } },
      auditEntry(),
      null,
    )
    expect(after).toEqual({
      ...before,
      labels: { a: 'b' },
      etag: after.etag,
      updateTimeMs: after.updateTimeMs,
    })
    expect(after.etag).not.toBe(before.etag)
    const stale = await refusal(
      storage.projects.update({ id: before.number, etag: before.etag }, {}, auditEntry(), null),
    )
    expect(stale).toMatchObject({
      reason: 'ETAG_MISMATCH',
      message: expect.stringContaining(before.projectId),
    })
  })

  test('of 20 concurrent updates with one etag exactly one wins', async () => {
    const { number, etag } = await createProject(storage)
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, writer) =>
        storage.projects.update(
          { id: number, etag },
          { displayName: `writer ${writer}` },
          auditEntry(),
          null,
        ),
      ),
    )
    const won = results.filter(result => result.status === 'fulfilled')
    expect(won).toHaveLength(1)
    expect(await storage.projects.find(number)).toEqual(won[0]?.value)
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ reason: 'ETAG_MISMATCH' })
    }
  })

  test('deletion works from ACTIVE only, undeletion from deleted only, and a deleted project cannot be updated', async () => {
    const { number } = await createProject(storage)
    const target = noEtag(number)
    expect(await reasonOf(storage.projects.undelete(target, auditEntry(), null))).toBe('STATE_CONFLICT')
    const deleted = await storage.projects.delete(target, auditEntry(), null)
    expect(deleted.deleteTimeMs).not.toBeNull()
    expect(await reasonOf(storage.projects.delete(target, auditEntry(), null))).toBe('STATE_CONFLICT')
    expect(await reasonOf(storage.projects.update(target, {}, auditEntry(), null))).toBe('STATE_CONFLICT')
    expect((await storage.projects.undelete(target, auditEntry(), null)).deleteTimeMs).toBeNull()
  })

  test('U+0000 in a text is FIELD_INVALID', async () => {
    const { number } = await createProject(storage)
    const patch = { displayName: 'a\0b' }
    expect(await reasonOf(storage.projects.update(noEtag(number), patch, auditEntry(), null))).toBe(
      'FIELD_INVALID',
    )
    expect(await reasonOf(storage.projects.find('a\0b'))).toBe('FIELD_INVALID')
  })
})

describeOnBothEngines('lists of projects', engine => {
  let storage: Storage
  const names = ['zeta', 'Beta', 'alpha', 'alpha', '', 'Ärger', 'beta']
  beforeAll(async () => {
    storage = await engine.open()
    for (const displayName of names) await createProject(storage, { displayName })
    const gone = await createProject(storage, { displayName: 'gone' })
    await storage.projects.delete({ id: gone.number, etag: null }, auditEntry(), null)
  })

  async function listAll(showDeleted: boolean, limit: number): Promise<string[]> {
    const found: string[] = []
    let cursor: string | null = null
    do {
      const page = await storage.projects.list({ showDeleted, limit, cursor })
      expect(page.items.length).toBeLessThanOrEqual(limit)
      found.push(...page.items.map(project => project.displayName))
      cursor = page.nextCursor
    } while (cursor !== null)
    return found
  }

  test.each([1, 2, 3, 7, 100])('pages of %i give every project once, in byte order', async limit => {
    const sorted = ['', 'Beta', 'alpha', 'alpha', 'beta', 'zeta', 'Ärger']
    expect(await listAll(false, limit)).toEqual(sorted)
    expect(await listAll(true, limit)).toEqual([...sorted.slice(0, 5), 'gone', ...sorted.slice(5)])
  })

  test('a cursor this list did not make is FIELD_INVALID for pageToken', async () => {
    const { nextCursor } = await storage.projects.list({ showDeleted: false, limit: 1, cursor: null })
    const keysCursor = Buffer.from(
      JSON.stringify([
        ['keys', '1', 'false'],
        [1, 'x'],
      ]),
    ).toString('base64url')
    const wrongKinds = Buffer.from(
      JSON.stringify([
        ['projects', 'false'],
        [1, 2],
      ]),
    ).toString('base64url')
    for (const cursor of ['', 'x', 'bm90aGluZw', 'null', keysCursor, wrongKinds]) {
      const error = await refusal(storage.projects.list({ showDeleted: false, limit: 1, cursor }))
      expect(error).toMatchObject({ reason: 'FIELD_INVALID', message: expect.stringContaining('pageToken') })
    }
    expect(await reasonOf(storage.projects.list({ showDeleted: true, limit: 1, cursor: nextCursor }))).toBe(
      'FIELD_INVALID',
    )
  })
})

describeOnBothEngines('tokens, operations and the audit trail', engine => {
  let storage: Storage
  beforeAll(async () => {
    storage = await engine.open()
  })
  const allAudit = async (projectNumber: string | null = null) => {
    const page = await storage.audit.list({ projectNumber, limit: 1_000, cursor: null })
    return page.items
  }

  test('a replaced token is refused from then on', async () => {
    await storage.tokens.put({ name: 'tokens/admin', digest: 'first', role: 'owner' }, auditEntry())
    expect(await storage.tokens.findByDigest('first')).toEqual({
      subject: 'tokens/admin',
      grants: [{ role: 'roles/owner', project: null }],
    })
    await storage.tokens.put({ name: 'tokens/admin', digest: 'second', role: 'owner' }, auditEntry())
    expect(await storage.tokens.findByDigest('first')).toBeNull()
    expect(await storage.tokens.findByDigest('second')).toMatchObject({ subject: 'tokens/admin' })
  })

  test('putting a token that is there already changes nothing and leaves no audit entry', async () => {
    await storage.tokens.put({ name: 'tokens/local', digest: 'same', role: 'owner' }, auditEntry())
    const entries = (await allAudit()).length
    await storage.tokens.put({ name: 'tokens/local', digest: 'same', role: 'owner' }, auditEntry())
    expect(await allAudit()).toHaveLength(entries)
  })

  test('operations made before the moment given are purged, others stay', async () => {
    const draft = { projectId: 'with-operation', displayName: '', labels: {}, modelAliases: {} }
    const project = await storage.projects.create(draft, auditEntry(), { name: 'operations/cp.2', verb: 'V' })
    expect(await storage.operations.purge(project.createTimeMs)).toBe(0)
    expect(await storage.operations.purge(project.createTimeMs + 1)).toBe(1)
    expect(await storage.operations.find('operations/cp.2')).toBeNull()
  })

  test('a change writes its audit entry with what only the store knows; a refused one writes none', async () => {
    const entry = auditEntry({ request: { a: [1, null] }, userAgent: 'curl/8', requestReason: 'ticket 7' })
    const draft = { projectId: 'audited', displayName: '', labels: {}, modelAliases: {} }
    const project = await storage.projects.create(draft, entry, null)
    await reasonOf(storage.projects.create(draft, auditEntry(), null))
    const entries = await allAudit(project.number)
    expect(entries).toMatchObject([
      { ...entry, projectNumber: project.number, after: project, timeMs: project.createTimeMs },
    ])
  })

  test('the trail is listed newest first, by pages, of one project or of all', async () => {
    const appended = Array.from({ length: 7 }, (_, number) =>
      auditEntry({ projectNumber: '7', insertId: `insert-${number}` }),
    )
    for (const entry of appended) await storage.audit.append(entry)
    const found: string[] = []
    let cursor: string | null = null
    let lastTimeMs = Infinity
    do {
      const page = await storage.audit.list({ projectNumber: '7', limit: 3, cursor })
      for (const entry of page.items) {
        expect(entry.timeMs).toBeLessThanOrEqual(lastTimeMs)
        lastTimeMs = entry.timeMs
        found.push(entry.insertId)
      }
      cursor = page.nextCursor
    } while (cursor !== null)
    expect(found.toSorted()).toEqual(appended.map(entry => entry.insertId))
    expect((await allAudit()).length).toBeGreaterThan(found.length)
    const { nextCursor } = await storage.audit.list({ projectNumber: null, limit: 1, cursor: null })
    expect(await reasonOf(storage.audit.list({ projectNumber: '7', limit: 1, cursor: nextCursor }))).toBe(
      'FIELD_INVALID',
    )
  })

  test('the change event arrives before the promise resolves', async () => {
    const seen: Change[] = []
    storage.onChange(change => seen.push(change))
    const project = await createProject(storage)
    expect(seen.splice(0)).toEqual([{ kind: 'project', projectNumber: project.number }])
    await storage.tokens.put({ name: 'tokens/third', digest: 'third', role: 'owner' }, auditEntry())
    expect(seen.splice(0)).toEqual([{ kind: 'all' }])
    await reasonOf(createProject(storage, { projectId: project.projectId }))
    expect(seen).toEqual([])
  })

  test('the database answers and tells the time', async () => {
    await storage.node.ping()
    expect(Math.abs((await storage.node.nowMs()) - Date.now())).toBeLessThan(5_000)
  })
})
