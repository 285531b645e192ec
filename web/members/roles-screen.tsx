import { ROLES, allRoles, isProjectRole, permissionsOf } from '../../src/domain/permission.ts'
import { MembersFrame } from './frame.tsx'
import { Table } from '../ui/table.tsx'

/** Every role in plain words. */
export function RolesScreen() {
  return (
    <MembersFrame
      title="Roles"
      about="What each role lets its members do. The names are Google's where Google has one; nobody can give what they do not hold."
    >
      <Table label="Roles" columns={['Role', 'What for', 'Given at']} isSheet>
        <tbody>
          {allRoles().map(role => (
            <tr key={role}>
              <th scope="row">
                {ROLES[role].title}
                <br />
                <code className="quiet">{role}</code>
              </th>
              <td>
                {ROLES[role].description}
                <details>
                  <summary className="small quiet">{shownCount(permissionsOf(role).size)}</summary>
                  <ul className="permissions">
                    {[...permissionsOf(role)].map(permission => (
                      <li key={permission}>
                        <code>{permission}</code>
                      </li>
                    ))}
                  </ul>
                </details>
              </td>
              <td className="nowrap">{isProjectRole(role) ? 'organization or project' : 'organization'}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </MembersFrame>
  )
}

function shownCount(permissions: number): string {
  return permissions === 1 ? '1 permission' : `${permissions} permissions`
}
