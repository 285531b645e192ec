/** Keys that somebody should see to. */
import { EXPIRES_SOON_DAYS, OLD_DAYS, expiresSoon, isOld } from '../keys/risks.ts'
import { chipsOf } from '../keys/chips.ts'
import { editKeyPath, keysPath, newKeyPath } from '../paths.ts'
import type { KeyJson } from '../queries.ts'
import { shownDistance } from '../ui/times.ts'
import { type Kind, type Notice, noticesOfKind } from './kind.ts'

export interface NamedKey {
  readonly key: KeyJson
  readonly name: string
  /** By id. */
  readonly project: string
  readonly keyId: string
}

/** What is to be said of keys that calls are let in with. */
export function keyNotices(keys: readonly NamedKey[], nowMs: number): readonly Notice[] {
  return kindsAt(nowMs).flatMap(kind => noticesOfKind(kind, keys))
}

function kindsAt(nowMs: number): readonly Kind<NamedKey>[] {
  return [
    {
      id: 'expires',
      look: 'look',
      is: ({ key }) => expiresSoon(key, nowMs),
      idOf: ({ key }) => `${key.uid} ${key.expireTime ?? ''}`,
      one: ({ name, key, ...place }) => ({
        title: `${name} expires ${shownDistance(key.expireTime ?? '', nowMs)}`,
        why: 'From then on its calls are refused.',
        to: editPathOf(place),
        action: 'Change its expiry',
      }),
      many: count => ({
        title: `${count} keys expire within ${EXPIRES_SOON_DAYS} days`,
        why: 'From then on their calls are refused.',
        to: keysPath({ risk: 'expires-soon' }),
        action: 'Look at the keys',
      }),
    },
    {
      id: 'unrestricted',
      look: 'look',
      is: ({ key }) => chipsOf(key).length === 0,
      idOf: ({ key }) => key.uid,
      one: ({ name, ...place }) => ({
        title: `${name} is unrestricted`,
        why: 'Whoever finds it may call everything from everywhere.',
        to: editPathOf(place),
        action: 'Restrict it',
      }),
      many: count => ({
        title: `${count} keys are unrestricted`,
        why: 'Whoever finds one may call everything from everywhere.',
        to: keysPath({ risk: 'unrestricted' }),
        action: 'Look at the keys',
      }),
    },
    {
      id: 'old',
      look: 'look',
      is: ({ key }) => isOld(key, nowMs),
      idOf: ({ key }) => key.uid,
      one: ({ name, project }) => ({
        title: `${name} is older than ${OLD_DAYS} days`,
        why: 'Whoever ever saw it can still use it. Let a new key take its place, then delete it.',
        to: newKeyPath({ project, name }),
        action: 'Create its successor',
      }),
      many: count => ({
        title: `${count} keys are older than ${OLD_DAYS} days`,
        why: 'Whoever ever saw one can still use it. Let new keys take their places, then delete them.',
        to: keysPath({ risk: 'old' }),
        action: 'Look at the keys',
      }),
    },
  ]
}

function editPathOf({ project, keyId }: Pick<NamedKey, 'project' | 'keyId'>): string {
  return editKeyPath({ project, key: keyId })
}
