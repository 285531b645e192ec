/** What removes deleted keys and projects for good. */
import { forgetBodies, forgetBodyKey } from './body-key.ts'
import { forgetPurged } from './key-string.ts'
import type { Db } from './schema.ts'

/** Keys first, then projects with every key they still have. Returns how many keys and projects went. */
export async function purgeDeleted(trx: Db, deletedBeforeMs: number, nowMs: number): Promise<number> {
  const projects = await trx
    .updateTable('project')
    .set({
      purge_time: nowMs,
      display_name: '',
      labels: '{}',
      model_aliases: '{}',
      live_keys: 0,
      tier: null,
      body_retention_hours: null,
    })
    .where('delete_time', '<', deletedBeforeMs)
    .where('purge_time', 'is', null)
    .returning('number')
    .execute()
  if (projects.length > 0) {
    await forgetTierBudgets(trx, nowMs)
    for (const { number } of projects) await forgetBodyKey(trx, number)
  }
  const keys = await trx
    .deleteFrom('key')
    .where(key =>
      key.or([
        key('delete_time', '<', deletedBeforeMs),
        key(
          'project_number',
          'in',
          key.selectFrom('project').select('number').where('purge_time', 'is not', null),
        ),
      ]),
    )
    .returning('uid')
    .execute()
  if (keys.length === 0) return projects.length
  await trx
    .deleteFrom('key_use')
    .where(use => use.not(use.exists(use.selectFrom('key').select('uid').whereRef('uid', '=', 'key_uid'))))
    .execute()
  await trx
    .deleteFrom('quota_limit')
    .where('lineage', '!=', '')
    .where(limit => {
      const key = limit.selectFrom('key').select('uid').whereRef('key.lineage', '=', 'quota_limit.lineage')
      return limit.not(limit.exists(key))
    })
    .execute()
  await forgetPurged(trx)
  await forgetBodies(trx)
  return projects.length + keys.length
}

/** A project that is gone has no tier, and no cap of one. */
async function forgetTierBudgets(trx: Db, nowMs: number): Promise<void> {
  await trx
    .updateTable('budget')
    .set({ delete_time: nowMs, update_time: nowMs })
    .where('scope', '=', 'tier')
    .where('delete_time', 'is', null)
    .where('project_number', 'in', row =>
      row.selectFrom('project').select('number').where('purge_time', 'is not', null),
    )
    .execute()
}
