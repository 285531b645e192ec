/** Whatever is done to the audit trail behind the back of Pollux is found; and nodes that write at once keep one chain. */
import { mkdirSync } from 'node:fs'
import { readFile, rename, rm, symlink } from 'node:fs/promises'
import * as fc from 'fast-check'
import { sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { beforeAll, expect, test, vi } from 'vitest'
import { init } from '../src/storage/migrations/0001-init.ts'
import { money } from '../src/storage/migrations/0002-money.ts'
import { leases } from '../src/storage/migrations/0003-leases.ts'
import { quota } from '../src/storage/migrations/0004-quota.ts'
import { prices } from '../src/storage/migrations/0005-prices.ts'
import { nodes } from '../src/storage/migrations/0006-nodes.ts'
import { people } from '../src/storage/migrations/0007-people.ts'
import { iam } from '../src/storage/migrations/0008-iam.ts'
import type { Db } from '../src/storage/schema.ts'
import type { AuditVerification } from '../src/storage/audit-store.ts'
import type { Storage } from '../src/storage/storage.ts'
import { ceiling } from './ceiling.ts'
import {
  type EngineUnderTest,
  type Place,
  auditEntry,
  behind,
  createProject,
  describeOnBothEngines,
  describeOnPostgres,
  freshFolder,
  reasonOf,
  startChild,
} from './storage-fixture.ts'

// Each property puts a database back many times.
vi.setConfig({ testTimeout: 120_000 })

const ENTRIES = 12
const CHECKPOINT_AT = 8

interface Trail {
  readonly place: Place
  readonly storage: Storage
}

async function trailOn(engine: EngineUnderTest): Promise<Trail> {
  const place = await engine.place()
  const storage = await engine.open(place)
  for (let number = 1; number <= ENTRIES; number += 1) {
    const part = { projectNumber: number % 2 === 0 ? '7' : null, userAgent: `agent ${number}` }
    await storage.audit.append(auditEntry({ ...part, request: { number, b: [1, null], a: 'ü' } }))
    if (number === CHECKPOINT_AT) await storage.audit.checkpoint()
  }
  return { place, storage }
}

const whats = ({ problems }: AuditVerification): readonly string[] => problems.map(({ what }) => what)

/** Does something to the database, verifies, and undoes it. */
async function tampered(
  { place, storage }: Trail,
  work: (db: Db) => Promise<unknown>,
): Promise<AuditVerification> {
  const kept = await behind(place, async db => ({
    entries: await db.selectFrom('audit_entry').selectAll().execute(),
    checkpoints: await db.selectFrom('audit_checkpoint').selectAll().execute(),
    head: await db.selectFrom('audit_head').selectAll().executeTakeFirstOrThrow(),
  }))
  await behind(place, work)
  const verification = await storage.audit.verify()
  await behind(place, async db => {
    for (const table of ['audit_entry', 'audit_checkpoint', 'audit_head'] as const) {
      await db.deleteFrom(table).execute()
    }
    await db.insertInto('audit_entry').values(kept.entries).execute()
    await db.insertInto('audit_checkpoint').values(kept.checkpoints).execute()
    await db.insertInto('audit_head').values(kept.head).execute()
  })
  return verification
}

const COLUMNS = [
  'insert_id',
  'time',
  'principal',
  'method_name',
  'permission',
  'resource_name',
  'project_number',
  'caller_ip',
  'user_agent',
  'request_reason',
  'request_id',
  'status',
  'request',
  'before',
  'after',
  'digest',
] as const

describeOnBothEngines('the audit trail', engine => {
  let trail: Trail
  beforeAll(async () => {
    trail = await trailOn(engine)
  })
  const sequence = fc.integer({ min: 1, max: ENTRIES })
  const found = async (work: (db: Db) => Promise<unknown>): Promise<void> => {
    expect(whats(await tampered(trail, work))).not.toEqual([])
  }

  test('is whole as long as nobody touches it', async () => {
    const verification = await trail.storage.audit.verify()
    expect(verification).toMatchObject({
      entriesChecked: ENTRIES,
      checkpointsChecked: 1,
      headSequence: ENTRIES,
      problems: [],
    })
    expect(verification.publicKey).toContain('BEGIN PUBLIC KEY')
    expect(whats(await tampered(trail, async () => {}))).toEqual([])
  })

  test.each(COLUMNS)('an entry of which %s was changed is found, whichever it is', async column => {
    await fc.assert(
      fc.asyncProperty(sequence, fc.nat(), async (seq, number) => {
        const value = column === 'time' ? number : `"${number}"`
        await found(db =>
          db
            .updateTable('audit_entry')
            .set({ [column]: value })
            .where('seq', '=', seq)
            .execute(),
        )
      }),
      { numRuns: 6 },
    )
  })

  test.each(['request', 'before', 'after'] as const)(
    'a blank more in the JSON of %s is found',
    async column => {
      await found(db =>
        sql`update audit_entry set ${sql.ref(column)} = ${sql.ref(column)} || ' ' where seq = 3`.execute(db),
      )
    },
  )

  test('an entry that was deleted is found, whichever it is', async () => {
    for (let seq = 1; seq <= ENTRIES; seq += 1) {
      await found(db => db.deleteFrom('audit_entry').where('seq', '=', seq).execute())
    }
  })

  test('a deleted entry is found although the ones behind it were numbered anew', async () => {
    await fc.assert(
      fc.asyncProperty(sequence, seq =>
        found(async db => {
          await db.deleteFrom('audit_entry').where('seq', '=', seq).execute()
          for (let behind = seq + 1; behind <= ENTRIES; behind += 1) {
            await db
              .updateTable('audit_entry')
              .set({ seq: behind - 1 })
              .where('seq', '=', behind)
              .execute()
          }
        }),
      ),
      { numRuns: 6 },
    )
  })

  test('two entries that changed places are found, whichever they are', async () => {
    await fc.assert(
      fc.asyncProperty(sequence, sequence, async (one, other) => {
        fc.pre(one !== other)
        await found(async db => {
          await db.updateTable('audit_entry').set({ seq: 99 }).where('seq', '=', one).execute()
          await db.updateTable('audit_entry').set({ seq: one }).where('seq', '=', other).execute()
          await db.updateTable('audit_entry').set({ seq: other }).where('seq', '=', 99).execute()
        })
      }),
      { numRuns: 6 },
    )
  })

  test('an inserted entry is found, wherever it claims to stand', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: -1, max: ENTRIES + 1 }), seq =>
        found(async db => {
          const copy = await db
            .selectFrom('audit_entry')
            .selectAll()
            .where('seq', '=', 5)
            .executeTakeFirstOrThrow()
          await db.schema.dropIndex('audit_entry_by_seq').ifExists().execute()
          await db
            .insertInto('audit_entry')
            .values({ ...copy, seq, insert_id: 'forged' })
            .execute()
          if (seq === ENTRIES + 1) {
            await db.updateTable('audit_head').set({ seq, digest: copy.digest }).execute()
          }
        }),
      ),
      { numRuns: 6 },
    )
  })

  test('a tail that was cut off is found, with the head moved to the entry that is now the last', async () => {
    for (let last = 0; last < ENTRIES; last += 1) {
      await found(async db => {
        await db.deleteFrom('audit_entry').where('seq', '>', last).execute()
        const end = await db
          .selectFrom('audit_entry')
          .select('digest')
          .where('seq', '=', last)
          .executeTakeFirst()
        await db
          .updateTable('audit_head')
          .set({ seq: last, digest: end?.digest ?? '' })
          .execute()
      })
    }
  })

  test('the signature of a checkpoint does not pass for one of the head', async () => {
    const verification = await tampered(trail, async db => {
      await db.deleteFrom('audit_entry').where('seq', '>', CHECKPOINT_AT).execute()
      const { seq, digest, signature } = await db
        .selectFrom('audit_checkpoint')
        .selectAll()
        .executeTakeFirstOrThrow()
      await db.updateTable('audit_head').set({ seq, digest, signature }).execute()
    })
    expect(whats(verification)).toEqual(['HEAD_FORGED'])
  })

  test('a database put back to before a checkpoint that is still there is found by the checkpoint', async () => {
    const early = await behind(trail.place, db =>
      db.selectFrom('audit_head').selectAll().executeTakeFirstOrThrow(),
    )
    for (let more = 0; more < 3; more += 1) await trail.storage.audit.append(auditEntry())
    expect(await trail.storage.audit.checkpoint()).toMatchObject({ sequence: early.seq + 3 })
    const verification = await tampered(trail, async db => {
      await db.deleteFrom('audit_entry').where('seq', '>', early.seq).execute()
      await db.updateTable('audit_head').set(early).execute()
    })
    expect(whats(verification)).toEqual(['CHECKPOINT_WITHOUT_ENTRY'])
  })

  test('a checkpoint of one’s own making is found', async () => {
    expect(
      whats(await tampered(trail, db => db.updateTable('audit_checkpoint').set({ digest: 'x' }).execute())),
    ).toContain('CHECKPOINT_FORGED')
  })
})

describeOnBothEngines('the audit file', engine => {
  test('has each entry as a line in the shape of Cloud Audit Logs, and goes on in a new file after a rotation', async () => {
    const auditFile = `${freshFolder()}.jsonl`
    const storage = await engine.open({ ...(await engine.place()), auditFile })
    await createProject(storage)
    await rename(auditFile, `${auditFile}.1`)
    await createProject(storage)
    const [first, second] = [await readFile(`${auditFile}.1`, 'utf8'), await readFile(auditFile, 'utf8')].map(
      text =>
        JSON.parse(text) as {
          readonly labels: Readonly<Record<string, string>>
          readonly protoPayload: object
        },
    )
    expect(first?.protoPayload).toMatchObject({ '@type': 'type.googleapis.com/google.cloud.audit.AuditLog' })
    expect(second?.labels['pollux/previousDigest']).toBe(first?.labels['pollux/digest'])
    expect(second?.labels['pollux/sequence']).toBe('2')
  })

  test('that cannot be written refuses the change within two seconds; nothing is changed, and later it goes on', async () => {
    const auditFile = `${freshFolder()}.jsonl`
    const storage = await engine.open({ ...(await engine.place()), auditFile })
    const project = await createProject(storage)
    await rm(auditFile)
    await symlink('/dev/full', auditFile)
    const askedMs = performance.now()
    const renamed = { displayName: 'Another name' }
    const target = { id: project.number, etag: null }
    expect(await reasonOf(storage.projects.update(target, renamed, auditEntry(), null))).toBe(
      'STORAGE_UNAVAILABLE',
    )
    expect(performance.now() - askedMs).toBeLessThan(ceiling(2_000))
    expect(await storage.projects.find(project.number)).toEqual(project)
    await rm(auditFile)
    await storage.projects.update(target, renamed, auditEntry(), null)
    expect((await storage.projects.find(project.number))?.displayName).toBe('Another name')
    expect(await storage.audit.verify()).toMatchObject({ entriesChecked: 2, problems: [] })
  })

  test('that cannot be written is told before anything is served', async () => {
    expect(
      await reasonOf(engine.open({ ...(await engine.place()), auditFile: `${freshFolder()}/no/file` })),
    ).toBe('STORAGE_UNAVAILABLE')
  })
})

describeOnPostgres('the audit trail of several processes', engine => {
  test('is one unbroken chain', async () => {
    const { engine: choice, dataDir } = await engine.place()
    const storage = await engine.open({ engine: choice, dataDir })
    const children = await Promise.all(
      [1, 2, 3].map(node =>
        startChild({
          mode: 'audit',
          place: { engine: choice, dataDir: freshFolder() },
          prefix: `node-${node}`,
          calls: 40,
        }),
      ),
    )
    expect(children.map(({ said }) => said)).toEqual(['done', 'done', 'done'])
    await Promise.all(children.map(child => child.kill()))
    const verification = await storage.audit.verify()
    expect(verification).toMatchObject({ entriesChecked: 120, headSequence: 120, problems: [] })
    const principals = new Set<string>()
    let turns = 0
    let last = ''
    let cursor: string | null = null
    do {
      const page = await storage.audit.list({ projectNumber: null, limit: 50, cursor })
      for (const { principal } of page.items) {
        principals.add(principal)
        if (principal !== last) turns += 1
        last = principal
      }
      cursor = page.nextCursor
    } while (cursor !== null)
    expect([...principals].sort()).toEqual(['node-1', 'node-2', 'node-3'])
    // They did write at once.
    expect(turns).toBeGreaterThan(3)
  })
})

const BEFORE = {
  '0001-init': init,
  '0002-money': money,
  '0003-leases': leases,
  '0004-quota': quota,
  '0005-prices': prices,
  '0006-nodes': nodes,
  '0007-people': people,
  '0008-iam': iam,
}

/** What version 0008 had: entries without a place in a chain, and JSON as it was written then. */
async function trailOfBefore(place: Place): Promise<void> {
  mkdirSync(place.dataDir, { mode: 0o700 })
  await behind(place, async db => {
    const migrator = new Migrator({ db, provider: { getMigrations: async () => BEFORE } })
    expect((await migrator.migrateToLatest()).error).toBeUndefined()
    for (let number = ENTRIES; number >= 1; number -= 1) {
      await sql`insert into audit_entry (insert_id, time, principal, method_name, permission, resource_name, project_number,
        caller_ip, user_agent, request_reason, request_id, request, before, after)
        values (${`entry-${number}`}, ${number}, 'tokens/admin', 'method', 'permission', 'projects/7', null, null, 'agent',
        null, 'request', '{"b":1, "a":2}', 'null', 'null')`.execute(db)
    }
  })
}

describeOnBothEngines('a trail from before the chain', engine => {
  test('is chained in the order of time, and is whole then', async () => {
    const place = await engine.place()
    await trailOfBefore(place)
    const reopened = await engine.open(place)
    expect(await reopened.audit.verify()).toMatchObject({
      entriesChecked: ENTRIES,
      headSequence: ENTRIES,
      problems: [],
    })
    await reopened.audit.append(auditEntry())
    expect(await reopened.audit.verify()).toMatchObject({ entriesChecked: ENTRIES + 1, problems: [] })
  })
})
