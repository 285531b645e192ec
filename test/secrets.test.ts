/** Sealed secrets in the database: recoverable keys, the master key, and changing it while everything runs. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test, vi } from 'vitest'
import { digestOf } from '../src/domain/digest.ts'
import { mintKeyString } from '../src/domain/keystring.ts'
import { KeyRing } from '../src/secrets/master-key.ts'
import type { Storage } from '../src/storage/storage.ts'
import {
  MASTER_KEYS,
  type Place,
  auditEntry,
  behind,
  createProject,
  describeOnBothEngines,
  freshFolder,
  keyDraft,
  reasonOf,
  refusal,
  startChild,
} from './storage-fixture.ts'

vi.setConfig({ testTimeout: 120_000 })

const [NEW_KEY, FOREIGN_KEY] = [8, 9].map(byte => Buffer.alloc(32, byte).toString('base64')) as [
  string,
  string,
]
const BOTH_KEYS = [NEW_KEY, ...MASTER_KEYS]

async function makeKey(storage: Storage, projectNumber: string) {
  const keyString = mintKeyString('key')
  const draft = keyDraft(projectNumber, { keyString, digest: digestOf(keyString) })
  return { keyString, key: await storage.keys.create(draft, auditEntry(), null) }
}

async function recoverableProject(storage: Storage): Promise<string> {
  const { number } = await createProject(storage)
  await storage.projects.update({ id: number, etag: null }, { recoverableKeys: true }, auditEntry(), null)
  return number
}

describeOnBothEngines('recoverable keys', engine => {
  let place: Place
  let storage: Storage
  beforeAll(async () => {
    place = await engine.place()
    storage = await engine.open(place)
  })
  const reveal = (uid: string): Promise<string> => storage.keys.reveal(uid, auditEntry())

  test('are shown again, each time with an audit entry; those made before stay shown once', async () => {
    const { number } = await createProject(storage)
    const target = { id: number, etag: null }
    const before = await makeKey(storage, number)
    await storage.projects.update(target, { recoverableKeys: true }, auditEntry(), null)
    const made = await makeKey(storage, number)
    const { entriesChecked } = await storage.audit.verify()
    expect(await reveal(made.key.uid)).toBe(made.keyString)
    expect((await storage.audit.verify()).entriesChecked).toBe(entriesChecked + 1)
    expect(await reasonOf(reveal(before.key.uid))).toBe('KEY_STRING_SHOWN_ONCE')
    expect((await storage.audit.verify()).entriesChecked).toBe(entriesChecked + 1)
  })

  test('are forgotten when their project stops being so, and when they are purged', async () => {
    const number = await recoverableProject(storage)
    const target = { id: number, etag: null }
    const one = await makeKey(storage, number)
    await storage.projects.update(target, { recoverableKeys: false }, auditEntry(), null)
    await storage.projects.update(target, { recoverableKeys: true }, auditEntry(), null)
    expect(await reasonOf(reveal(one.key.uid))).toBe('KEY_STRING_SHOWN_ONCE')
    const other = await makeKey(storage, number)
    await storage.keys.delete({ id: other.key.uid, etag: null, unusedSinceMs: null }, auditEntry(), null)
    await storage.keys.purge(Date.now() + 60_000, auditEntry())
    const rows = await behind(place, db =>
      db.selectFrom('secret').select('row_id').where('row_id', '=', other.key.uid).execute(),
    )
    expect(rows).toEqual([])
  })

  test('are refused when their sealed text was moved to another key, project or column, or one byte of it changed', async () => {
    const [first, second] = [await recoverableProject(storage), await recoverableProject(storage)]
    const [mine, theirs] = [await makeKey(storage, first), await makeKey(storage, second)]
    const sealedOf = (uid: string) =>
      behind(
        place,
        async db =>
          (await db.selectFrom('secret').selectAll().where('row_id', '=', uid).executeTakeFirstOrThrow())
            .sealed,
      )
    const put = (uid: string, sealed: string) =>
      behind(place, db => db.updateTable('secret').set({ sealed }).where('row_id', '=', uid).execute())
    const kept = await sealedOf(mine.key.uid)
    await put(mine.key.uid, await sealedOf(theirs.key.uid))
    expect(await reasonOf(reveal(mine.key.uid))).toBe('SECRET_UNREADABLE')
    for (let byte = 0; byte < kept.length; byte += 17) {
      await put(mine.key.uid, kept.slice(0, byte) + (kept[byte] === 'A' ? 'B' : 'A') + kept.slice(byte + 1))
      expect(await reasonOf(reveal(mine.key.uid)), `byte ${byte}`).toBe('SECRET_UNREADABLE')
    }
    await put(mine.key.uid, kept)
    expect(await reveal(mine.key.uid)).toBe(mine.keyString)
    // The key itself is moved: its secret stays its old project's.
    await behind(place, db =>
      db.updateTable('key').set({ project_number: second }).where('uid', '=', mine.key.uid).execute(),
    )
    expect(await reasonOf(reveal(mine.key.uid))).toBe('SECRET_UNREADABLE')
  })

  test('are nowhere in the database as they are', async () => {
    const { keyString } = await makeKey(storage, await recoverableProject(storage))
    const needles = [keyString, Buffer.from(keyString).toString('base64').slice(2, -4)]
    const dump =
      place.engine.kind === 'sqlite'
        ? (
            await Promise.all(
              (await readdir(place.dataDir))
                .filter(file => file.startsWith('pollux.db'))
                .map(file => readFile(join(place.dataDir, file), 'latin1')),
            )
          ).join()
        : await behind(place, async db =>
            JSON.stringify(
              await Promise.all(
                (['key', 'secret', 'master_key', 'audit_entry', 'operation'] as const).map(table =>
                  db.selectFrom(table).selectAll().execute(),
                ),
              ),
            ),
          )
    for (const needle of needles) expect(dump).not.toContain(needle)
    expect(dump).toContain(digestOf(keyString))
  })
})

describeOnBothEngines('the master key', engine => {
  test('that is another one than the database has is refused before anything is served', async () => {
    const place = await engine.place()
    const storage = await engine.open(place)
    await makeKey(storage, await recoverableProject(storage))
    await storage.close()
    const error = await refusal(engine.open({ ...place, masterKeys: [FOREIGN_KEY] }))
    expect(error.reason).toBe('STATE_CONFLICT')
    expect(error.message).toContain(new KeyRing(MASTER_KEYS).first.id)
    expect(error.message).toContain('POLLUX_MASTER_KEY')
    await engine.open(place)
  })

  test('is changed while everything runs: nothing is lost, and the old one is not needed afterwards', async () => {
    const place = await engine.place()
    const before = await engine.open(place)
    const number = await recoverableProject(before)
    const keys = [await makeKey(before, number), await makeKey(before, number)]
    await before.close()
    const during = await engine.open({ ...place, masterKeys: BOTH_KEYS })
    keys.push(await makeKey(during, number))
    // Nobody said so yet: sealing goes on under the old one, which nodes that were not restarted have.
    expect((await during.secrets.rekey(auditEntry())).remaining).toBe(0)
    keys.push(await makeKey(during, number))
    expect(await during.secrets.rekey(auditEntry())).toEqual({
      masterKeyId: new KeyRing([NEW_KEY]).first.id,
      // Four keyStrings and the key that signs the audit trail.
      verified: 5,
      remaining: 0,
    })
    await during.close()
    const after = await engine.open({ ...place, masterKeys: [NEW_KEY] })
    for (const { key, keyString } of keys)
      expect(await after.keys.reveal(key.uid, auditEntry())).toBe(keyString)
    expect((await after.audit.verify()).problems).toEqual([])
    expect(await reasonOf(engine.open({ ...place, dataDir: freshFolder(), masterKeys: MASTER_KEYS }))).toBe(
      'STATE_CONFLICT',
    )
  })

  test('is changed beside keys that are being made: none is left under the old one', async () => {
    const place = await engine.place()
    // A database begins with the first master key of its first node: this change goes from the new one to the old one.
    await (await engine.open({ ...place, masterKeys: BOTH_KEYS })).close()
    const node = await engine.open({ ...place, masterKeys: [...MASTER_KEYS, NEW_KEY] })
    const number = await recoverableProject(node)
    const making = Promise.all(Array.from({ length: 30 }, () => makeKey(node, number)))
    const found = await node.secrets.rekey(auditEntry())
    expect(found.masterKeyId).toBe(new KeyRing(MASTER_KEYS).first.id)
    await making
    const rows = await behind(place, db => db.selectFrom('secret').select('sealed').execute())
    expect(rows).toHaveLength(31)
    expect(found.remaining).toBe(0)
    for (const { sealed } of rows) expect(sealed.startsWith(`v1.${found.masterKeyId}.`)).toBe(true)
  })

  test('a change of it that is killed again and again goes on where it was, and ends', async () => {
    const place = await engine.place()
    const before = await engine.open(place)
    const keys = []
    for (let project = 0; project < 2; project += 1) {
      const number = await recoverableProject(before)
      keys.push(...(await Promise.all(Array.from({ length: 250 }, () => makeKey(before, number)))))
    }
    await before.close()
    const masterKeys = BOTH_KEYS
    for (let kill = 0; kill < 4; kill += 1) {
      const child = await startChild({ mode: 'rekey', place: { ...place, masterKeys } })
      await child.kill()
    }
    const after = await engine.open({ ...place, masterKeys })
    let found = await after.secrets.rekey(auditEntry())
    while (found.remaining > 0) found = await after.secrets.rekey(auditEntry())
    expect(found.verified).toBe(501)
    await after.close()
    const alone = await engine.open({ ...place, masterKeys: [NEW_KEY] })
    for (const { key, keyString } of keys.filter((_, place) => place % 25 === 0)) {
      expect(await alone.keys.reveal(key.uid, auditEntry())).toBe(keyString)
    }
    expect((await alone.audit.verify()).problems).toEqual([])
  }, 120_000)
})
