import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { PriceOverrideDraft } from '../src/storage/storage.ts'
import type { Change } from '../src/storage/storage.ts'
import { auditEntry, describeOnBothEngines, describeOnPostgres } from './storage-fixture.ts'

const FROM_MS = Date.UTC(2027, 0, 1)
const draft = (part: Partial<PriceOverrideDraft> = {}): PriceOverrideDraft => ({
  uid: randomUUID(),
  model: 'gemini-3.8-flash',
  effectiveTimeMs: FROM_MS,
  fields: { input: { text: 0.075 }, output: { text: 3 }, note: 'ours' },
  ...part,
})

describeOnBothEngines('price overrides', engine => {
  test('are kept as they were set, by model and time', async () => {
    const storage = await engine.open()
    const later = await storage.prices.create(draft({ effectiveTimeMs: FROM_MS + 1 }), auditEntry())
    const first = await storage.prices.create(draft(), auditEntry())
    const other = await storage.prices.create(draft({ model: 'a-model' }), auditEntry())
    expect(first.fields).toEqual({ input: { text: 0.075 }, output: { text: 3 }, note: 'ours' })
    expect(await storage.prices.list()).toEqual([other, first, later])
  })

  test('never overlap: of many set for one model and time at once, one stands, with one audit entry', async () => {
    const storage = await engine.open()
    const answers = await Promise.allSettled(
      Array.from({ length: 8 }, () => storage.prices.create(draft(), auditEntry())),
    )
    const refused = answers.filter(answer => answer.status === 'rejected')
    expect(refused).toHaveLength(7)
    for (const { reason } of refused) expect(reason).toMatchObject({ reason: 'ALREADY_EXISTS' })
    expect(await storage.prices.list()).toHaveLength(1)
    const { items } = await storage.audit.list({ projectNumber: null, limit: 50, cursor: null })
    expect(items).toHaveLength(1)
  })

  test('are told whole with every change, before it is acknowledged', async () => {
    const storage = await engine.open()
    const heard: Change[] = []
    storage.onChange(change => void heard.push(change))
    const drafts = Array.from({ length: 5 }, (_, at) => draft({ effectiveTimeMs: FROM_MS + at }))
    await Promise.all(drafts.map(draft => storage.prices.create(draft, auditEntry())))
    expect(heard.map(change => (change.kind === 'prices' ? change.overrides.length : 0))).toEqual([
      1, 2, 3, 4, 5,
    ])
    const [gone] = await storage.prices.list()
    await storage.prices.delete(gone?.uid ?? '', auditEntry())
    expect(heard.at(-1)).toEqual({ kind: 'prices', overrides: await storage.prices.list() })
  })

  test('that are not there cannot be deleted, and leave no audit entry', async () => {
    const storage = await engine.open()
    await expect(storage.prices.delete(randomUUID(), auditEntry())).rejects.toMatchObject({
      reason: 'RESOURCE_NOT_FOUND',
    })
    const { items } = await storage.audit.list({ projectNumber: null, limit: 50, cursor: null })
    expect(items).toHaveLength(0)
  })
})

describeOnPostgres('price overrides of several processes', engine => {
  test('reach the others', async () => {
    const place = await engine.place()
    const here = await engine.open(place)
    const there = await engine.open({ ...place, dataDir: `${place.dataDir}-2` })
    const changed = new Promise<Change>(resolve => there.onChange(resolve))
    const made = await here.prices.create(draft(), auditEntry())
    expect(await changed).toEqual({ kind: 'prices', overrides: [made] })
    expect(await there.prices.list()).toEqual([made])
  })
})
