import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import type { Storage } from '../src/storage/storage.ts'
import { auditEntry, createProject, describeOnBothEngines, reasonOf } from './storage-fixture.ts'

const EMPTY = 'ACAB'
const NEVER_MS = Date.UTC(2100, 0)
const owner = (member: string) => ({ role: 'roles/owner', member }) as const
const viewer = (member: string) => ({ role: 'roles/viewer', member }) as const

describeOnBothEngines('policies', engine => {
  let storage: Storage
  beforeAll(async () => {
    storage = await engine.open()
  })
  const fresh = async () => (await createProject(storage)).number
  const audits = async () =>
    (await storage.audit.list({ projectNumber: null, limit: 300, cursor: null })).items.length

  test('a policy that was never set is empty, and the first change of it goes through once', async () => {
    const project = await fresh()
    expect(await storage.iam.policy(project)).toEqual({ etag: EMPTY, bindings: [] })
    const change = (member: string) =>
      storage.iam.setPolicy({ project, etag: EMPTY }, [viewer(member)], auditEntry())
    const raced = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) => change(`user:${index}@x.y`)),
    )
    expect(raced.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const result of raced) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ reason: 'ETAG_MISMATCH' })
    }
    const { etag, bindings } = await storage.iam.policy(project)
    expect(bindings).toHaveLength(1)
    expect(etag).not.toBe(EMPTY)
  })

  test('a subject has the roles of every policy that names it, and no other', async () => {
    const [one, two] = [await fresh(), await fresh()]
    await storage.iam.setPolicy({ project: one, etag: EMPTY }, [viewer('user:a@x.y')], auditEntry())
    await storage.iam.setPolicy(
      { project: two, etag: EMPTY },
      [owner('user:a@x.y'), viewer('user:b@x.y')],
      auditEntry(),
    )
    const grants = await storage.iam.grantsOf('user:a@x.y')
    expect(grants).toHaveLength(2)
    expect(grants).toEqual(
      expect.arrayContaining([
        { role: 'roles/viewer', project: one },
        { role: 'roles/owner', project: two },
      ]),
    )
    expect(await storage.iam.grantsOf('user:nobody@x.y')).toEqual([])
  })

  test('binding twice changes and audits once; unbinding takes every role', async () => {
    const project = await fresh()
    const before = await audits()
    await storage.iam.bind({ project, ...viewer('user:twice@x.y') }, auditEntry())
    const { etag } = await storage.iam.policy(project)
    await storage.iam.bind({ project, ...viewer('user:twice@x.y') }, auditEntry())
    expect((await storage.iam.policy(project)).etag).toBe(etag)
    expect(await audits()).toBe(before + 1)
    await storage.iam.unbind('user:twice@x.y', auditEntry())
    await storage.iam.unbind('user:twice@x.y', auditEntry())
    expect(await storage.iam.grantsOf('user:twice@x.y')).toEqual([])
    expect((await storage.iam.policy(project)).etag).not.toBe(etag)
    expect(await audits()).toBe(before + 2)
  })

  test('of two owners who are removed at once, one stays', async () => {
    const members = ['user:one@x.y', 'user:two@x.y']
    for (const member of members) await storage.iam.bind({ project: null, ...owner(member) }, auditEntry())
    const removed = await Promise.allSettled(members.map(member => storage.iam.unbind(member, auditEntry())))
    expect(removed.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const { etag, bindings } = await storage.iam.policy(null)
    expect(bindings).toHaveLength(1)
    const emptied = storage.iam.setPolicy({ project: null, etag }, [], auditEntry())
    expect(await reasonOf(emptied)).toBe('STATE_CONFLICT')
    expect(await storage.iam.policy(null)).toEqual({ etag, bindings })
  })
})

describeOnBothEngines('service accounts', engine => {
  let storage: Storage
  beforeAll(async () => {
    storage = await engine.open()
  })
  async function createAccount() {
    const { number: projectNumber, projectId } = await createProject(storage)
    const email = `robot-${randomUUID().slice(0, 8)}@${projectId}.iam.pollux.internal`
    const draft = { projectNumber, email, displayName: 'Robot', description: '' }
    return await storage.serviceAccounts.create(draft, auditEntry())
  }
  const tokenDraft = (accountUid: string) => ({
    uid: randomUUID(),
    accountUid,
    digest: `digest of ${randomUUID()}`,
    displayName: 'a token',
    maskedToken: 'plx_pat_…abcd',
    limits: { permissions: ['apikeys.keys.list'], project: null } as const,
    expireTimeMs: NEVER_MS,
  })
  const keyDraft = (accountUid: string) => ({
    accountUid,
    keyId: randomUUID(),
    publicKey: 'a public key',
    expireTimeMs: NEVER_MS,
  })

  test('an account is found by e-mail and uid, and listed in its project', async () => {
    const account = await createAccount()
    expect(await storage.serviceAccounts.find(account.email)).toEqual(account)
    expect(await storage.serviceAccounts.find(account.uid)).toEqual(account)
    expect(await storage.serviceAccounts.list(account.projectNumber)).toEqual([account])
    expect(await storage.serviceAccounts.find(randomUUID())).toBeNull()
  })

  test('a credential leads to its account and what that holds, until the account is deleted', async () => {
    const account = await createAccount()
    const { projectNumber: project, uid, email } = account
    const draft = tokenDraft(uid)
    const token = await storage.serviceAccounts.createToken(draft, auditEntry())
    const key = await storage.serviceAccounts.createKey(keyDraft(uid), auditEntry())
    await storage.iam.bind({ project, ...viewer(`serviceAccount:${email}`) }, auditEntry())
    const grants = [{ role: 'roles/viewer', project }]
    const found = { account, grants, isProjectDeleted: false }
    expect(await storage.serviceAccounts.findByToken(draft.digest)).toEqual({ ...found, credential: token })
    expect(await storage.serviceAccounts.findByKey(key.keyId)).toEqual({ ...found, credential: key })
    await storage.serviceAccounts.delete(uid, auditEntry())
    expect(await storage.serviceAccounts.findByToken(draft.digest)).toBeNull()
    expect(await storage.serviceAccounts.findByKey(key.keyId)).toBeNull()
    expect(await storage.serviceAccounts.find(email)).toBeNull()
    expect(await storage.iam.grantsOf(`serviceAccount:${email}`)).toEqual([])
    const { displayName, description } = account
    const again = { projectNumber: project, email, displayName, description }
    expect(await reasonOf(storage.serviceAccounts.create(again, auditEntry()))).toBe('ALREADY_EXISTS')
    expect(await reasonOf(storage.serviceAccounts.createToken(tokenDraft(uid), auditEntry()))).toBe(
      'RESOURCE_NOT_FOUND',
    )
  })

  test('of 24 credentials that are made at once 20 are, and a deleted one makes room', async () => {
    const { uid } = await createAccount()
    const made = await Promise.allSettled(
      Array.from({ length: 24 }, (_, index) =>
        index % 2 === 0
          ? storage.serviceAccounts.createToken(tokenDraft(uid), auditEntry())
          : storage.serviceAccounts.createKey(keyDraft(uid), auditEntry()),
      ),
    )
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(20)
    const full = storage.serviceAccounts.createKey(keyDraft(uid), auditEntry())
    expect(await reasonOf(full)).toBe('RESOURCE_QUOTA_EXCEEDED')
    const [token] = await storage.serviceAccounts.listTokens(uid)
    await storage.serviceAccounts.deleteToken(uid, token?.uid ?? '', auditEntry())
    await storage.serviceAccounts.createKey(keyDraft(uid), auditEntry())
    const twice = storage.serviceAccounts.deleteToken(uid, token?.uid ?? '', auditEntry())
    expect(await reasonOf(twice)).toBe('RESOURCE_NOT_FOUND')
  })

  test('a credential is deleted under its own account only', async () => {
    const [one, other] = [await createAccount(), await createAccount()]
    const key = await storage.serviceAccounts.createKey(keyDraft(one.uid), auditEntry())
    const refused = storage.serviceAccounts.deleteKey(other.uid, key.keyId, auditEntry())
    expect(await reasonOf(refused)).toBe('RESOURCE_NOT_FOUND')
    expect(await storage.serviceAccounts.listKeys(one.uid)).toEqual([key])
  })

  test('the last use is noted, at most once a minute', async () => {
    const { uid } = await createAccount()
    const { keyId } = await storage.serviceAccounts.createKey(keyDraft(uid), auditEntry())
    await storage.serviceAccounts.noteUse('key', keyId)
    const [first] = await storage.serviceAccounts.listKeys(uid)
    expect(first?.lastUsedTimeMs).toBeGreaterThan(Date.now() - 60_000)
    await storage.serviceAccounts.noteUse('key', keyId)
    expect(await storage.serviceAccounts.listKeys(uid)).toEqual([first])
  })

  test('the last owner of the organization is not deleted', async () => {
    const { uid, email } = await createAccount()
    await storage.iam.bind({ project: null, ...owner(`serviceAccount:${email}`) }, auditEntry())
    expect(await reasonOf(storage.serviceAccounts.delete(uid, auditEntry()))).toBe('STATE_CONFLICT')
    expect((await storage.serviceAccounts.find(uid))?.email).toBe(email)
    await storage.iam.bind({ project: null, ...owner('user:next@x.y') }, auditEntry())
    await storage.serviceAccounts.delete(uid, auditEntry())
  })
})
