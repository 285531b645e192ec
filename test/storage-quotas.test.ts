import { beforeAll, expect, test } from 'vitest'
import type { Key } from '../src/domain/key.ts'
import type { Project } from '../src/domain/project.ts'
import { QUOTA_LIMITS_MAX, type QuotaLimit } from '../src/domain/quota.ts'
import type { TierDraft } from '../src/storage/quota-store.ts'
import type { Change, Storage } from '../src/storage/storage.ts'
import { auditEntry, createProject, describeOnBothEngines, keyDraft, reasonOf } from './storage-fixture.ts'

const DRAFT: TierDraft = {
  displayName: 'Team',
  quotaIdSuffix: 'Team',
  limits: [{ metric: 'requestsPerMinute', model: '*', value: 5 }],
  allowedModels: ['gemini-3*'],
  allowedMethods: null,
  allowedTools: [],
  spendCapNanos: null,
  priceBasisPoints: 12_500,
}
const limit = (value: number, model: string | null = null): QuotaLimit => ({
  metric: 'requestsPerDay',
  model,
  value,
})

describeOnBothEngines('rate limits and tiers', engine => {
  let storage: Storage
  let project: Project
  let key: Key
  let digest: string
  const changes: Change[] = []
  beforeAll(async () => {
    storage = await engine.open()
    project = await createProject(storage)
    const draft = keyDraft(project.number)
    digest = draft.digest
    key = await storage.keys.create(draft, auditEntry(), null)
    storage.onChange(change => void changes.push(change))
  })
  const ofProject = () => ({ projectNumber: project.number, lineage: null })
  const ofKey = () => ({ projectNumber: project.number, lineage: key.lineage })
  const quotaOfKey = async () => (await storage.keys.findByDigest(digest))?.quota

  test('limits come with the key they bind, and every change is told and audited', async () => {
    changes.length = 0
    const audit = auditEntry({ projectNumber: project.number, methodName: 'set' })
    await storage.quotas.set(ofProject(), limit(5), audit)
    await storage.quotas.set(ofProject(), limit(6), auditEntry())
    await storage.quotas.set(ofKey(), limit(-1, '*'), auditEntry())
    expect(await quotaOfKey()).toEqual({ tier: null, projectLimits: [limit(6)], keyLimits: [limit(-1, '*')] })
    expect(changes).toEqual([
      { kind: 'project', projectNumber: project.number },
      { kind: 'project', projectNumber: project.number },
      { kind: 'key', keyUid: key.uid },
    ])
    await storage.quotas.unset(ofProject(), limit(0), auditEntry())
    expect(await quotaOfKey()).toMatchObject({ projectLimits: [], keyLimits: [limit(-1, '*')] })
    expect(await reasonOf(storage.quotas.unset(ofProject(), limit(0), auditEntry()))).toBe(
      'RESOURCE_NOT_FOUND',
    )
    const { items } = await storage.audit.list({ projectNumber: project.number, limit: 50, cursor: null })
    expect(items.some(({ methodName }) => methodName === 'set')).toBe(true)
  })

  test('limits need a place, a number in range, and room', async () => {
    const set = (place: { projectNumber: string; lineage: string | null }, value: QuotaLimit) =>
      storage.quotas.set(place, value, auditEntry())
    expect(await reasonOf(set({ projectNumber: '1', lineage: null }, limit(1)))).toBe('RESOURCE_NOT_FOUND')
    const unknownKey = { projectNumber: project.number, lineage: 'none' }
    expect(await reasonOf(set(unknownKey, limit(1)))).toBe('RESOURCE_NOT_FOUND')
    expect(await reasonOf(set(ofProject(), limit(-2)))).toBe('FIELD_INVALID')
    const other = await createProject(storage)
    const full = { projectNumber: other.number, lineage: null }
    for (let count = 0; count < QUOTA_LIMITS_MAX; count++) await set(full, limit(1, `model-${count}`))
    expect(await reasonOf(set(full, limit(1, 'one-more')))).toBe('RESOURCE_QUOTA_EXCEEDED')
    await set(full, limit(2, 'model-7'))
  }, 60_000)

  test('a tier comes with the keys of its projects, and goes when none has it', async () => {
    const made = await storage.tiers.put({ id: 'team', etag: null }, DRAFT, auditEntry())
    expect(made).toMatchObject({ ...DRAFT, id: 'team' })
    const target = { id: project.number, etag: null }
    await storage.projects.update(target, { tier: 'team' }, auditEntry(), null)
    expect((await quotaOfKey())?.tier).toEqual(made)
    const remove = (etag: string | null = null) =>
      storage.tiers.delete({ id: 'team', etag, isReplaced: false }, auditEntry())
    expect(await reasonOf(remove())).toBe('STATE_CONFLICT')
    expect(await reasonOf(remove('W/"old"'))).toBe('ETAG_MISMATCH')
    const stale = { id: 'team', etag: 'W/"old"' }
    expect(await reasonOf(storage.tiers.put(stale, DRAFT, auditEntry()))).toBe('ETAG_MISMATCH')
    changes.length = 0
    const changed = await storage.tiers.put(
      { id: 'team', etag: made.etag },
      { ...DRAFT, limits: [] },
      auditEntry(),
    )
    expect([changed.limits, changes]).toEqual([[], [{ kind: 'all' }]])
    await storage.projects.update(target, { tier: null }, auditEntry(), null)
    await remove()
    expect(await storage.tiers.list()).toEqual([])
    expect(await reasonOf(remove())).toBe('RESOURCE_NOT_FOUND')
  })
})
