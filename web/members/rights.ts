/** Why something cannot be done, said before somebody tries. The server decides; this only spares the attempt. */
import { useQuery } from '@tanstack/react-query'
import { type Permission, ROLES, type Role, permissionsOf } from '../../src/domain/permission.ts'
import type { Place } from './policy.ts'
import { heldQuery } from './queries.ts'

export interface Rights {
  /** Null: the caller may. */
  readonly whyNot: (permission: Permission) => string | null
  /** Nobody gives or takes away a role that they do not hold in full at that place. */
  readonly whyNotGive: (role: Role) => string | null
}

/** What the caller may do at a place. Until that is known, nothing. */
export function useRights(place: Place): Rights {
  const { data: held, error } = useQuery(heldQuery(place))
  const where = place === null ? 'at the organization' : `in ${place}`
  if (held === undefined) {
    const why = error === null ? 'One moment: what you may do is being asked.' : `Not known: ${error.message}`
    return { whyNot: () => why, whyNotGive: () => why }
  }
  const whyNot = (permission: Permission): string | null =>
    held.has(permission)
      ? null
      : `This takes ${permission} ${where}, which you do not hold. An owner can do it, or give you a role that has it.`
  return {
    whyNot,
    whyNotGive: role => {
      const setting =
        place === null
          ? 'resourcemanager.organizations.setIamPolicy'
          : 'resourcemanager.projects.setIamPolicy'
      const isHeldInFull = [...permissionsOf(role)].every(permission => held.has(permission))
      if (held.has(setting) && !isHeldInFull) {
        return `You do not hold all that ${ROLES[role].title} gives ${where}, and nobody gives or takes what they do not hold.`
      }
      return whyNot(setting)
    },
  }
}
