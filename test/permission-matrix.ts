/**
 * The permission matrix: what each role reaches, derived from the contract table. Run it to write test/permission-matrix.txt
 * and docs/permissions.md anew: node test/permission-matrix.ts
 */
import { writeFileSync } from 'node:fs'
import { type Endpoint, resourceOf } from '../src/contract/endpoint.ts'
import { ENDPOINTS } from '../src/contract/table.ts'
import {
  ROLES,
  type Role,
  allPermissions,
  allRoles,
  isProjectRole,
  permissionsOf,
} from '../src/domain/permission.ts'

export const MATRIX_URL = new URL('permission-matrix.txt', import.meta.url)
export const PERMISSIONS_DOC_URL = new URL('../docs/permissions.md', import.meta.url)

/**
 * `P`: with the role at the organization or at the project. `O`: only at the organization. `A`: every authenticated
 * principal (in a project: every member), and where one signs in, strangers. `-`: not.
 */
function cellOf(role: Role, endpoint: Endpoint): 'P' | 'O' | 'A' | '-' {
  const { permission } = endpoint
  if (permission === 'anyone' || permission === 'any authenticated') return 'A'
  if (!permissionsOf(role).has(permission)) return '-'
  return isProjectRole(role) && resourceOf(endpoint) !== 'organization' ? 'P' : 'O'
}

/** Role by endpoint, one line for each endpoint. */
export function matrixText(): string {
  const roles = allRoles()
  const legend = roles.map((role, index) => `# ${String(index + 1).padStart(2)} ${role}`)
  const columns = roles.map((_, index) => String(index + 1).padStart(2)).join(' ')
  const lines = ENDPOINTS.map(endpoint => {
    const cells = roles.map(role => cellOf(role, endpoint).padStart(2)).join(' ')
    return `${endpoint.method.padEnd(6)} ${endpoint.path.padEnd(82)} ${cells}`
  })
  return `${[...legend, `${' '.repeat(89)} ${columns}`, ...lines.sort()].join('\n')}\n`
}

/** The same by permission, for people. */
export function permissionsDoc(): string {
  const roles = allRoles().filter(role => role !== 'roles/owner')
  const short = (role: Role): string => role.replace(/^roles\//, '').replace(/^.*\./, '')
  const roleRows = allRoles().map(role => {
    const where = isProjectRole(role) ? 'organization or project' : 'organization'
    return `| \`${role}\` | ${ROLES[role].description} | ${where} |`
  })
  const permissionRows = allPermissions().map(permission => {
    const cells = roles.map(role => (permissionsOf(role).has(permission) ? 'yes' : ''))
    return `| \`${permission}\` | ${cells.join(' | ')} |`
  })
  return `# Roles and permissions

Written by \`node test/permission-matrix.ts\` from \`src/domain/permission.ts\`; a test compares the two. What each role reaches,
endpoint by endpoint, stands in [test/permission-matrix.txt](../test/permission-matrix.txt). How roles are given:
[access.md](access.md).

## Roles

| Role | | Where it can be given |
|---|---|---|
${roleRows.join('\n')}

## Who holds which permission

\`roles/owner\` holds all of them.

| Permission | ${roles.map(short).join(' | ')} |
|---|${roles.map(() => '---|').join('')}
${permissionRows.join('\n')}
`
}

if (import.meta.main) {
  writeFileSync(MATRIX_URL, matrixText())
  writeFileSync(PERMISSIONS_DOC_URL, permissionsDoc())
}
