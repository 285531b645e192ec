/** `pollux backup` and `pollux restore`: they work on the database itself, so a server need not run, and may. */
import { type Config, masterKeysOf } from './config.ts'
import { engineOf } from './data-dir.ts'
import { masterKeysIn } from './secrets/master-key.ts'
import { writeBackup } from './storage/backup.ts'
import { restoreBackup } from './storage/restore.ts'

const NANOS = 1_000_000_000

/** Writes a backup and says what it holds. Throws ApiError. */
export async function backUp(config: Config, path: string, withMasterKey: boolean): Promise<string> {
  const masterKeys = withMasterKey ? (masterKeysOf(config) ?? masterKeysIn(config.dataDir)) : null
  const { rowCount, bytes, createTimeMs, sha256 } = await writeBackup(engineOf(config), path, masterKeys)
  return (
    `${path}: ${rowCount} rows as of ${new Date(createTimeMs).toISOString()}, ${bytes} bytes, sha256 of the contents ${sha256}.\n` +
    (withMasterKey
      ? 'It holds the master key: whoever has the file has every secret in it.\n'
      : 'The master key is not in it: keep a copy of that elsewhere, the secrets in the backup need it.\n')
  )
}

/** Restores a backup and says what was found. Throws ApiError. */
export async function restore(
  config: Config,
  path: string,
): Promise<{ readonly text: string; readonly isSound: boolean }> {
  const place = { engine: engineOf(config), dataDir: config.dataDir, masterKeys: masterKeysOf(config) }
  const { createTimeMs, rowCount, lostNanos, ledger, audit, secrets } = await restoreBackup(place, path)
  const sound = ledger.drifts.length === 0 && audit.problems.length === 0
  const verdict = (count: number): string => (count === 0 ? 'no differences' : `${count} DIFFERENCES`)
  const text =
    `Restored ${rowCount} rows as of ${new Date(createTimeMs).toISOString()}.\n` +
    `Ledger: ${ledger.rowsChecked} rows and ${ledger.recordsChecked} records, ${verdict(ledger.drifts.length)}.\n` +
    `Audit trail: ${audit.entriesChecked} entries, ${verdict(audit.problems.length)}.\n` +
    `Secrets: ${secrets.verified}, every one of them opened.\n` +
    `Posted as estimated for what was under way then: $${(lostNanos / NANOS).toFixed(9)} over all budgets.\n` +
    'What was spent after the backup is not in it, and no budget knows of it: compare with the bill of the upstream, and ' +
    'lower caps for what is missing.\n' +
    (sound
      ? ''
      : 'Some of it differed when the backup was made: `pollux ledger verify` and `pollux audit verify` tell what.\n')
  return { text, isSound: sound }
}
