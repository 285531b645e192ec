import { beforeAll, expect, test } from 'vitest'
import type { Budget, BudgetPeriod, BudgetStatus } from '../src/domain/budget.ts'
import { CAP_NANOS_MAX } from '../src/domain/budget.ts'
import type { Key } from '../src/domain/key.ts'
import { DEFAULT_TIME_ZONE, periodWindow } from '../src/domain/period.ts'
import type { Project } from '../src/domain/project.ts'
import type { BudgetDraft, Change, Storage } from '../src/storage/storage.ts'
import type { Place } from './storage-fixture.ts'
import {
  auditEntry,
  budgetDraft,
  createProject,
  describeOnBothEngines,
  keyDraft,
  reasonOf,
  times,
  usageRecord,
} from './storage-fixture.ts'

const target = ({ uid }: Budget) => ({ id: uid, etag: null })
const uids = (budgets: readonly Budget[]) => budgets.map(({ uid }) => uid)

function budgetOf(status: BudgetStatus): Budget {
  const budget: Omit<BudgetStatus, 'balance'> & { balance?: unknown } = { ...status }
  delete budget.balance
  return budget
}

describeOnBothEngines('budgets', engine => {
  let storage: Storage
  let place: Place
  let project: Project
  let key: Key

  const newKey = async (projectNumber: string) => {
    const draft = keyDraft(projectNumber)
    return { key: await storage.keys.create(draft, auditEntry(), null), digest: draft.digest }
  }
  const create = (part: Partial<BudgetDraft> = {}) =>
    storage.budgets.create(budgetDraft(part), auditEntry({ methodName: 'CreateBudget' }))
  const ofProject = (part: Partial<BudgetDraft> = {}) =>
    create({ scope: 'project', projectNumber: project.number, ...part })
  const ofKey = (of: Key, part: Partial<BudgetDraft> = {}) =>
    create({ scope: 'key', projectNumber: of.projectNumber, lineage: of.lineage, ...part })

  beforeAll(async () => {
    place = await engine.place()
    storage = await engine.open(place)
    project = await createProject(storage)
    key = (await newKey(project.number)).key
  })

  test('a created budget is listed as it was returned, by everything that names it', async () => {
    const draft = budgetDraft({
      scope: 'key',
      projectNumber: project.number,
      lineage: key.lineage,
      period: 'day',
      capNanos: CAP_NANOS_MAX,
      policy: 'refuse',
      defaultMaxOutputTokens: 4_096,
      toolCeilingsNanos: { googleSearch: 35_000_000 },
    })
    const made = await storage.budgets.create(draft, auditEntry())
    const { startMs, endMs } = periodWindow('day', DEFAULT_TIME_ZONE, made.createTimeMs)
    expect(made).toEqual({
      ...draft,
      uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      etag: expect.stringMatching(/^W\//),
      frozenTimeMs: null,
      createTimeMs: made.createTimeMs,
      updateTimeMs: made.createTimeMs,
      balance: {
        rowId: expect.any(Number),
        periodStartMs: startMs,
        periodEndMs: endMs,
        postedNanos: 0,
        allottedNanos: 0,
        overrunNanos: 0,
      },
    })
    expect(await storage.budgets.list({ lineage: key.lineage })).toEqual([made])
    expect(await storage.budgets.list({ scope: 'key', period: 'day' })).toEqual([made])
    expect(uids(await storage.budgets.list({ projectNumber: project.number }))).toContain(made.uid)
    expect(await storage.budgets.list({ lineage: key.lineage, period: 'month' })).toEqual([])
  })

  test('a key is found with every budget on its path, and with no other', async () => {
    const [own, other] = [await newKey(project.number), await newKey(project.number)]
    const foreign = await newKey((await createProject(storage)).number)
    const before = uids((await storage.keys.findByDigest(own.digest))?.budgets ?? [])
    const made = [
      await create({ period: 'day' }),
      await ofProject(),
      await ofKey(own.key, { period: 'month' }),
    ]
    await ofKey(other.key)
    const found = (await storage.keys.findByDigest(own.digest))?.budgets ?? []
    expect(found.filter(({ uid }) => !before.includes(uid))).toEqual(made.map(budgetOf))
    const [organization] = made
    const foreignPath = (await storage.keys.findByDigest(foreign.digest))?.budgets ?? []
    expect(foreignPath.map(({ scope }) => scope)).not.toContain('project')
    expect(uids(foreignPath)).toContain(organization?.uid)
  })

  test('one of ten at once becomes the budget of its scope and period; a deleted one makes room', async () => {
    const { key: own } = await newKey(project.number)
    const made = await Promise.allSettled(Array.from({ length: 10 }, () => ofKey(own, { period: 'month' })))
    const statuses = made.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
    expect(statuses).toHaveLength(1)
    expect(await reasonOf(ofKey(own, { period: 'month' }))).toBe('ALREADY_EXISTS')
    const [first] = statuses
    if (first === undefined) throw new Error('none was made')
    await storage.budgets.delete(target(first), auditEntry())
    const second = await ofKey(own, { period: 'month' })
    expect(second.uid).not.toBe(first.uid)
    expect(second.balance.rowId).not.toBe(first.balance.rowId)
    expect(await reasonOf(storage.budgets.delete(target(first), auditEntry()))).toBe('RESOURCE_NOT_FOUND')
  })

  test.each<[string, Partial<BudgetDraft>, string]>([
    [
      'a project that is not there',
      { scope: 'project', projectNumber: '100000000000' },
      'RESOURCE_NOT_FOUND',
    ],
    ['a cap above the highest', { period: 'month', capNanos: CAP_NANOS_MAX + 1 }, 'FIELD_INVALID'],
    ['a cap below nothing', { period: 'month', capNanos: -1 }, 'FIELD_INVALID'],
    ['a cap of half a nano-dollar', { period: 'month', capNanos: 0.5 }, 'FIELD_INVALID'],
  ])('%s is refused', async (_, part, reason) => {
    expect(await reasonOf(create(part))).toBe(reason)
  })

  test('a key that is not in the project has no budget there', async () => {
    const other = await createProject(storage)
    expect(await reasonOf(ofKey({ ...key, projectNumber: other.number }))).toBe('RESOURCE_NOT_FOUND')
  })

  test('opens with what the records of its scope and current period cost, not with older or void ones', async () => {
    const { number } = await createProject(storage)
    const [{ key: a }, { key: b }] = [await newKey(number), await newKey(number)]
    const nowMs = await storage.node.nowMs()
    const startOf = (period: BudgetPeriod) => periodWindow(period, DEFAULT_TIME_ZONE, nowMs).startMs
    const append = (keyUid: string, costNanos: number | null, part: object = {}) =>
      storage.usage.append(
        usageRecord({ projectNumber: number, keyUid, costNanos, startTimeMs: nowMs, ...part }),
        [],
      )
    const places: readonly Partial<BudgetDraft>[] = [
      { scope: 'project', projectNumber: number },
      { scope: 'key', projectNumber: number, lineage: a.lineage },
    ]
    // Not awaited: creating waits for what was appended before.
    const appended = [
      append(a.uid, 1, { outcome: 'estimated' }),
      append(b.uid, 20),
      append(a.uid, 300, { startTimeMs: startOf('day') }),
      append(a.uid, 4_000, { startTimeMs: startOf('day') - 1 }),
      append(a.uid, 50_000, { startTimeMs: startOf('month') - 1 }),
      append(a.uid, 600_000, { outcome: 'void' }),
      append(a.uid, null),
    ]
    const yesterdayIsThisMonth = startOf('day') > startOf('month')
    const opened = await Promise.all(
      places.flatMap(where =>
        (['day', 'month', 'total'] as const).map(async period => {
          const { balance } = await create({ ...where, period })
          return balance.postedNanos
        }),
      ),
    )
    await Promise.all(appended)
    const month = yesterdayIsThisMonth ? 4_321 : 321
    expect(opened).toEqual([321, month, 54_321, 301, month - 20, 54_301])
    expect((await storage.ledger.verify()).drifts).toEqual([])
  })

  test('a change needs the current etag, is audited, and tells whom it binds', async () => {
    const { key: own } = await newKey(project.number)
    const draft = keyDraft(project.number, { lineage: own.lineage })
    const successor = await storage.keys.create(draft, auditEntry(), null)
    const changes: Change[] = []
    storage.onChange(change => changes.push(change))
    const made = await ofKey(own, { period: 'day' })
    const stale = { id: made.uid, etag: made.etag }
    const audit = auditEntry({ methodName: 'UpdateBudget' })
    const changed = await storage.budgets.update(stale, { capNanos: 7, policy: 'refuse' }, audit)
    expect(changed).toEqual({
      ...made,
      capNanos: 7,
      policy: 'refuse',
      etag: changed.etag,
      updateTimeMs: changed.updateTimeMs,
    })
    expect(changed.etag).not.toBe(made.etag)
    const entries = await storage.audit.list({ projectNumber: project.number, limit: 99, cursor: null })
    expect(entries.items.find(({ insertId }) => insertId === audit.insertId)?.after).toEqual(
      budgetOf(changed),
    )
    const refused = [
      storage.budgets.update(stale, {}, auditEntry()),
      storage.budgets.acknowledge(stale, auditEntry()),
      storage.budgets.delete(stale, auditEntry()),
    ]
    expect(await Promise.all(refused.map(reasonOf))).toEqual(times(3, 'ETAG_MISMATCH'))
    expect(await reasonOf(storage.budgets.update({ id: 'none', etag: null }, {}, auditEntry()))).toBe(
      'RESOURCE_NOT_FOUND',
    )
    expect(await reasonOf(storage.budgets.update(target(made), { capNanos: -1 }, auditEntry()))).toBe(
      'FIELD_INVALID',
    )
    const keys = [own.uid, successor.uid].toSorted()
    const told = changes.map(change => (change.kind === 'key' ? change.keyUid : ''))
    expect(told.toSorted()).toEqual([...keys, ...keys].toSorted())
    changes.length = 0
    await storage.budgets.delete(target(await ofProject({ period: 'day' })), auditEntry())
    const ofAll = await create({ period: 'month' })
    await storage.budgets.acknowledge(target(ofAll), auditEntry())
    expect(changes).toEqual([
      ...times(2, { kind: 'project', projectNumber: project.number }),
      ...times(2, { kind: 'all' }),
    ])
  })

  test('deleting and undeleting a project, and purging a key, leave their budgets and what is posted', async () => {
    const own = await createProject(storage)
    const { key: gone } = await newKey(own.number)
    const nowMs = await storage.node.nowMs()
    await storage.usage.append(
      usageRecord({ projectNumber: own.number, keyUid: gone.uid, costNanos: 5, startTimeMs: nowMs }),
      [],
    )
    const made = [
      await create({ scope: 'project', projectNumber: own.number }),
      await ofKey(gone, { period: 'month' }),
    ]
    await storage.projects.delete({ id: own.number, etag: null }, auditEntry(), null)
    await storage.projects.undelete({ id: own.number, etag: null }, auditEntry(), null)
    const deleted = await storage.keys.delete(
      { id: gone.uid, etag: null, unusedSinceMs: null },
      auditEntry(),
      null,
    )
    await storage.keys.purge((deleted.deleteTimeMs ?? 0) + 1, auditEntry())
    expect(await storage.budgets.list({ projectNumber: own.number })).toEqual(made)
    expect(made.map(({ balance }) => balance.postedNanos)).toEqual([5, 5])
  })
})
