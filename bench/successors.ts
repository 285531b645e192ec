/** Successors of keys, made by the storage itself beside the Pollux that uses its database: no route makes any yet. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { systemEntry } from '../src/domain/audit.ts'
import { digestOf } from '../src/domain/digest.ts'
import { maskKeyString, mintKeyString } from '../src/domain/keystring.ts'
import { KeyRing, masterKeysIn } from '../src/secrets/master-key.ts'
import { AuditChain, signFirstHead } from '../src/storage/audit-chain.ts'
import { Committer } from '../src/storage/commit.ts'
import { openEngine } from '../src/storage/engine.ts'
import { Keys } from '../src/storage/keys.ts'
import { Rollup } from '../src/storage/rollup.ts'
import { Vault } from '../src/storage/vault.ts'
import type { SpendKey } from '../test/spend-clients.ts'
import type { Place } from './place.ts'

export interface Successors {
  /** Makes a key of the same lineage, which the nodes know from its first call on. */
  make(key: SpendKey): Promise<SpendKey>
  close(): Promise<void>
}

export async function openSuccessors({ env, dataDir }: Place): Promise<Successors> {
  const { POLLUX_DATABASE_URL: url, POLLUX_MASTER_KEY: masterKey } = env
  const engine = openEngine(
    url === undefined ? { kind: 'sqlite', path: join(dataDir, 'pollux.sqlite') } : { kind: 'postgres', url },
  )
  const vault = new Vault(engine, new KeyRing(masterKey === undefined ? masterKeysIn(dataDir) : [masterKey]))
  const chain = new AuditChain(engine, await vault.signingKey(signFirstHead), null)
  const committer = new Committer(engine, chain, () => {})
  const keys = new Keys({ engine, committer, vault }, new Rollup(engine, 'successors'))
  return {
    async make({ uid, keyId }) {
      const before = await engine.db
        .selectFrom('key')
        .select(['lineage', 'project_number'])
        .where('uid', '=', uid)
        .executeTakeFirstOrThrow()
      const { lineage, project_number: projectNumber } = before
      const keyString = mintKeyString('key')
      const successor = { uid: randomUUID(), keyId: `${keyId}-next`, keyString }
      const draft = {
        ...successor,
        lineage,
        projectNumber,
        digest: digestOf(keyString),
        maskedKeyString: maskKeyString(keyString),
        displayName: '',
        annotations: {},
        restrictions: null,
        expireTimeMs: null,
        allowedModels: null,
        allowedTools: null,
        environment: null,
      }
      const resourceName = `projects/${projectNumber}/locations/global/keys/${successor.keyId}`
      const audit = systemEntry({ methodName: 'SucceedKey', resourceName, projectNumber })
      await keys.create(draft, audit, null)
      return successor
    },
    close: () => engine.close(),
  }
}
