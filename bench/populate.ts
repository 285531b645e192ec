/** Fills a data folder with many keys, all restricted, and budgets on three levels, in seconds: by bulk insert. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { digestOf } from '../src/domain/digest.ts'
import { KEYS_PER_PROJECT_MAX } from '../src/domain/key.ts'
import { maskKeyString, mintKeyString } from '../src/domain/keystring.ts'
import { openStorage } from '../src/storage/open.ts'

const CAP_NANOS = 1_000_000 * 1_000_000_000

const RESTRICTIONS = JSON.stringify({
  serverKeyRestrictions: { allowedIps: ['10.0.0.0/8', '127.0.0.1', '2001:db8::/32'] },
  apiTargets: [
    {
      service: 'generativelanguage.googleapis.com',
      methods: ['GenerateContent', 'StreamGenerateContent', 'Count*'],
    },
  ],
})

/**
 * Makes `keys` keys in as many projects as they need and returns the keyStrings of the first `called`. With `budgets` the
 * organization, each project and each of those keys gets a monthly budget.
 */
export async function populate(
  dataDir: string,
  { keys, called, budgets }: { readonly keys: number; readonly called: number; readonly budgets: boolean },
): Promise<string[]> {
  const path = join(dataDir, 'pollux.sqlite')
  const storage = await openStorage({ engine: { kind: 'sqlite', path }, dataDir })
  await storage.close()
  const database = new DatabaseSync(path)
  const keyStrings: string[] = []
  const nowMs = Date.now()
  const insertBudget = inserter(database, 'budget')
  const budget = (scope: string, projectNumber: string, lineage: string): void => {
    if (!budgets) return
    insertBudget({
      uid: randomUUID(),
      scope,
      project_number: projectNumber,
      lineage,
      period: 'month',
      cap: CAP_NANOS,
      policy: 'clamp',
      default_max_output_tokens: null,
      tool_ceilings: '{}',
      frozen_time: null,
      etag: randomUUID(),
      create_time: nowMs,
      update_time: nowMs,
      delete_time: null,
    })
  }
  const insertProject = inserter(database, 'project')
  const insertKey = inserter(database, 'key')
  database.exec('begin')
  budget('organization', '', '')
  for (let made = 0; made < keys; made++) {
    const number = String(100_000_000_000 + Math.floor(made / KEYS_PER_PROJECT_MAX))
    if (made % KEYS_PER_PROJECT_MAX === 0) {
      insertProject({
        number,
        project_id: `bench-${number}`,
        display_name: `Bench ${number}`,
        labels: '{}',
        model_aliases: '{}',
        etag: randomUUID(),
        live_keys: Math.min(KEYS_PER_PROJECT_MAX, keys - made),
        create_time: nowMs,
        update_time: nowMs,
        delete_time: null,
        purge_time: null,
      })
      budget('project', number, '')
    }
    const keyString = mintKeyString('key')
    const uid = randomUUID()
    insertKey({
      uid,
      lineage: uid,
      project_number: number,
      key_id: `key-${made}`,
      digest: digestOf(keyString),
      display_name: `Key ${made}`,
      annotations: '{}',
      restrictions: RESTRICTIONS,
      allowed_models: JSON.stringify(['gemini-3.8-flash', 'gemini-3.5-*']),
      allowed_tools: JSON.stringify(['googleSearch']),
      environment: null,
      masked_key_string: maskKeyString(keyString),
      etag: randomUUID(),
      create_time: nowMs,
      update_time: nowMs,
      delete_time: null,
      disabled_time: null,
      expire_time: null,
    })
    if (made >= called) continue
    budget('key', number, uid)
    keyStrings.push(keyString)
  }
  database.exec('commit')
  database.close()
  return keyStrings
}

type Value = string | number | null

/** Inserts rows of one table; each row names the same columns. */
function inserter(database: DatabaseSync, table: string): (row: Readonly<Record<string, Value>>) => void {
  let insert: ReturnType<DatabaseSync['prepare']> | null = null
  return row => {
    const columns = Object.keys(row)
    insert ??= database.prepare(
      `insert into "${table}" (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`,
    )
    insert.run(...Object.values(row))
  }
}
