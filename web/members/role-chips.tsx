import { ROLES } from '../../src/domain/permission.ts'
import type { HeldRole } from './policy.ts'

/** Roles in a line; those of a project name it. */
export function RoleChips({ roles }: { readonly roles: readonly HeldRole[] }) {
  if (roles.length === 0) return <span className="quiet">none</span>
  return (
    <ul className="chips">
      {roles.map(({ place, role, isFromIssuer = false }) => (
        <li key={`${role} ${place} ${isFromIssuer}`} className="chip" title={ROLES[role].description}>
          {ROLES[role].title}
          {place !== null && ` · ${place}`}
          {isFromIssuer && ' · by the issuer'}
        </li>
      ))}
    </ul>
  )
}
