/** IAM policies: of projects as Resource Manager v3 has them (google/iam/v1/policy.proto), of the organization beside them. */
import { z } from 'zod'
import { endpoint } from './endpoint.ts'
import { NO_QUERY } from './fields.ts'

const Binding = z.object({
  role: z.string().optional(),
  members: z.array(z.string()).optional(),
  // Declared to be refused: a condition that is ignored would grant more than was meant.
  condition: z.looseObject({}).optional(),
})

const PolicyJson = z
  .object({
    version: z.int().optional().meta({ description: '1: conditions are refused.' }),
    etag: z
      .string()
      .optional()
      .meta({ description: 'Sent back: refuse when the policy was changed meanwhile.' }),
    bindings: z.array(Binding).optional(),
    auditConfigs: z.array(z.looseObject({})).optional(),
  })
  .meta({ id: 'Policy' })

const GetBody = z.object({
  options: z.object({ requestedPolicyVersion: z.int().optional() }).optional(),
})
const SetBody = z.object({ policy: PolicyJson.optional(), updateMask: z.string().optional() })
const TestBody = z.object({ permissions: z.array(z.string()).optional() })
const TestAnswer = z.object({ permissions: z.array(z.string()).optional() })

/** The three methods of one kind of resource. */
function policyEndpoints<const Resource extends string>(
  resource: Resource,
  names: {
    readonly id: string
    readonly kind: 'organizations' | 'projects'
    readonly service: string
  },
) {
  return {
    getIamPolicy: endpoint({
      id: `${names.id}.getIamPolicy`,
      method: 'POST',
      path: `${resource}:getIamPolicy`,
      permission: `resourcemanager.${names.kind}.getIamPolicy`,
      query: NO_QUERY,
      body: GetBody,
      response: PolicyJson,
      errors: names.kind === 'projects' ? [] : ['RESOURCE_NOT_FOUND'],
      audit: null,
      summary: 'Reads who holds which roles on exactly this resource.',
    }),
    setIamPolicy: endpoint({
      id: `${names.id}.setIamPolicy`,
      method: 'POST',
      path: `${resource}:setIamPolicy`,
      permission: `resourcemanager.${names.kind}.setIamPolicy`,
      stepUp: true,
      query: NO_QUERY,
      body: SetBody,
      response: PolicyJson,
      errors: ['RESOURCE_NOT_FOUND', 'ETAG_MISMATCH', 'STATE_CONFLICT'],
      audit: `${names.service}.SetIamPolicy`,
      summary:
        'Replaces who holds which roles. Only roles that the caller holds in full can be given or taken away.',
    }),
    testIamPermissions: endpoint({
      id: `${names.id}.testIamPermissions`,
      method: 'POST',
      path: `${resource}:testIamPermissions`,
      permission: 'any authenticated',
      query: NO_QUERY,
      body: TestBody,
      response: TestAnswer,
      errors: names.kind === 'projects' ? [] : ['RESOURCE_NOT_FOUND'],
      audit: null,
      summary: 'Tells which of these permissions the caller holds here.',
    }),
  } as const
}

export const PROJECT_IAM_V3 = policyEndpoints('/v3/projects/{project}', {
  id: 'resourcemanager.v3.projects',
  kind: 'projects',
  service: 'google.cloud.resourcemanager.v3.Projects',
})

export const ORGANIZATION_IAM_V1 = policyEndpoints('/pollux/v1/organizations/{organization}', {
  id: 'pollux.v1.organizations',
  kind: 'organizations',
  service: 'pollux.v1.Organizations',
})
