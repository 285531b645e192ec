/** Service accounts with roles, as the suites of access send requests in their names. */
import { ORGANIZATION_IAM_V1, PROJECT_IAM_V3 } from '../src/contract/iam.v3.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { SERVICE_ACCOUNTS_V1 } from '../src/contract/service-accounts.v1.ts'
import { type Client, createClient } from '../src/contract/client.ts'
import type { Role } from '../src/domain/permission.ts'
import type { Answer, Management } from './management.ts'

export interface Robot {
  readonly email: string
  readonly member: string
  readonly token: string
  readonly client: Client
  request(method: string, path: string, body?: unknown): Promise<Answer>
}

/** Makes a project with a key in it, and gives back its number. */
export async function makeProject(management: Management, projectId: string): Promise<string> {
  const { client } = management
  const { name } = await client.call(POLLUX_V1.createProject, { body: { projectId } })
  await client.call(POLLUX_V1.createKey, {
    params: { project: projectId },
    query: { keyId: 'web' },
    body: {},
  })
  return name.replace('projects/', '')
}

/** Gives a member a role, at the organization without a project. */
export async function grant(
  management: Management,
  { member, role, project }: { readonly member: string; readonly role: Role; readonly project?: string },
): Promise<void> {
  const { client } = management
  if (project === undefined) {
    const params = { organization: '1' }
    const policy = await client.call(ORGANIZATION_IAM_V1.getIamPolicy, { params })
    const bindings = [...(policy.bindings ?? []), { role, members: [member] }]
    await client.call(ORGANIZATION_IAM_V1.setIamPolicy, { params, body: { policy: { ...policy, bindings } } })
    return
  }
  const params = { project }
  const policy = await client.call(PROJECT_IAM_V3.getIamPolicy, { params })
  const bindings = [...(policy.bindings ?? []), { role, members: [member] }]
  await client.call(PROJECT_IAM_V3.setIamPolicy, { params, body: { policy: { ...policy, bindings } } })
}

/** Makes a service account in a project, with the roles given, and a token of it. */
export async function makeRobot(
  management: Management,
  spec: {
    readonly home: string
    readonly id: string
    readonly roles?: readonly { readonly role: Role; readonly project?: string }[]
    readonly limits?: { readonly permissions?: string[]; readonly project?: string }
  },
): Promise<Robot> {
  const { client } = management
  const { home: project, id, roles = [], limits = {} } = spec
  const { email } = await client.call(SERVICE_ACCOUNTS_V1.createServiceAccount, {
    params: { project },
    query: { accountId: id },
    body: {},
  })
  const member = `serviceAccount:${email}`
  for (const role of roles) await grant(management, { member, ...role })
  const params = { project, serviceAccount: id }
  const { token = '' } = await client.call(SERVICE_ACCOUNTS_V1.createToken, { params, body: limits })
  return {
    email,
    member,
    token,
    client: createClient({ baseUrl: management.origin, token }),
    request: (method, path, body) =>
      management.request(method, path, {
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
  }
}
