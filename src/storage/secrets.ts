/** Sealed secrets as a whole: how they come under another master key while everything runs. */
import type { AuditEntry } from '../domain/audit.ts'
import type { Committer } from './commit.ts'
import type { SecretStore, SecretsVerification } from './storage.ts'
import type { Vault } from './vault.ts'

/** One transaction each: short enough not to keep a change waiting, and what a crash can undo. */
const BATCH_SECRETS = 200

export class Secrets implements SecretStore {
  readonly #committer: Committer
  readonly #vault: Vault

  constructor(committer: Committer, vault: Vault) {
    this.#committer = committer
    this.#vault = vault
  }

  /** The batch is audited only where it found something to do. */
  async rekey(audit: AuditEntry): Promise<SecretsVerification> {
    await this.#committer.commitIfAny({ audit, operation: null }, async (trx, nowMs) => {
      const switchedTo = await this.#vault.switchMasterKey(trx, nowMs)
      const rewrapped = await this.#vault.rewrapSome(trx, BATCH_SECRETS)
      if (switchedTo === null && rewrapped === 0) return null
      return { result: rewrapped, changes: [], resource: null }
    })
    return await this.#vault.verify()
  }
}
