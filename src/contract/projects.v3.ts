/** Resource Manager v3, projects, as google/cloud/resourcemanager/v3/projects.proto says. */
import { z } from 'zod'
import { endpoint } from './endpoint.ts'
import { NO_QUERY, Operation, PageQuery, ShowDeleted, Time, UpdateMask, outputOnly } from './fields.ts'

export const ProjectV3 = z
  .object({
    name: outputOnly(z.string()),
    parent: z.string(),
    projectId: z.string(),
    state: outputOnly(z.enum(['ACTIVE', 'DELETE_REQUESTED'])),
    displayName: z.string().optional(),
    createTime: outputOnly(Time),
    updateTime: outputOnly(Time),
    deleteTime: outputOnly(Time).optional(),
    etag: z.string(),
    labels: z.record(z.string(), z.string()).optional(),
  })
  .meta({ id: 'ProjectV3' })

const ProjectInput = ProjectV3.partial().meta({ id: 'ProjectV3Input' })

const ProjectPage = z.object({
  projects: z.array(ProjectV3).optional(),
  nextPageToken: z.string().optional(),
})

const PROJECT = '/v3/projects/{project}'
const METHOD = 'google.cloud.resourcemanager.v3.Projects'

export const PROJECTS_V3 = {
  createProject: endpoint({
    id: 'resourcemanager.v3.projects.create',
    method: 'POST',
    path: '/v3/projects',
    permission: 'resourcemanager.projects.create',
    query: NO_QUERY,
    body: ProjectInput,
    response: Operation,
    errors: ['ALREADY_EXISTS'],
    audit: `${METHOD}.CreateProject`,
    summary: 'Makes a project under organizations/1.',
  }),
  getProject: endpoint({
    id: 'resourcemanager.v3.projects.get',
    method: 'GET',
    path: PROJECT,
    permission: 'resourcemanager.projects.get',
    query: NO_QUERY,
    body: null,
    response: ProjectV3,
    errors: [],
    audit: null,
    summary: 'Reads a project by id or number. 403 when there is none, as at Google.',
  }),
  listProjects: endpoint({
    id: 'resourcemanager.v3.projects.list',
    method: 'GET',
    path: '/v3/projects',
    permission: 'resourcemanager.projects.list',
    resource: 'filtered',
    query: PageQuery.extend({ parent: z.string().optional(), showDeleted: ShowDeleted }),
    body: null,
    response: ProjectPage,
    errors: [],
    audit: null,
    summary: 'Lists the projects of organizations/1 by display name.',
  }),
  searchProjects: endpoint({
    id: 'resourcemanager.v3.projects.search',
    method: 'GET',
    path: '/v3/projects:search',
    permission: 'resourcemanager.projects.get',
    resource: 'filtered',
    query: PageQuery.extend({ query: z.string().optional() }),
    body: null,
    response: ProjectPage,
    errors: [],
    audit: null,
    summary: 'Lists the projects that meet any term of the query; terms end in * to match a beginning.',
  }),
  updateProject: endpoint({
    id: 'resourcemanager.v3.projects.patch',
    method: 'PATCH',
    path: PROJECT,
    permission: 'resourcemanager.projects.update',
    query: z.object({ updateMask: UpdateMask }),
    body: ProjectInput,
    response: Operation,
    errors: ['MASK_INVALID', 'ETAG_MISMATCH', 'STATE_CONFLICT'],
    audit: `${METHOD}.UpdateProject`,
    summary: 'Changes displayName or labels.',
  }),
  deleteProject: endpoint({
    id: 'resourcemanager.v3.projects.delete',
    method: 'DELETE',
    path: PROJECT,
    permission: 'resourcemanager.projects.delete',
    stepUp: true,
    query: z.object({ etag: z.string().optional() }),
    body: null,
    response: Operation,
    errors: ['ETAG_MISMATCH'],
    audit: `${METHOD}.DeleteProject`,
    summary: 'Marks a project for deletion. Its keys are refused at once; 30 days to undelete. Idempotent.',
  }),
  undeleteProject: endpoint({
    id: 'resourcemanager.v3.projects.undelete',
    method: 'POST',
    path: `${PROJECT}:undelete`,
    permission: 'resourcemanager.projects.undelete',
    query: NO_QUERY,
    body: z.object({}),
    response: Operation,
    errors: ['STATE_CONFLICT'],
    audit: `${METHOD}.UndeleteProject`,
    summary: 'Brings back a project that was deleted less than 30 days ago.',
  }),
  getOperation: endpoint({
    id: 'resourcemanager.v3.operations.get',
    method: 'GET',
    path: '/v3/operations/{operation}',
    permission: 'resourcemanager.projects.get',
    resource: 'filtered',
    query: NO_QUERY,
    body: null,
    response: Operation,
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary: 'Reads an operation of the last seven days.',
  }),
  getOperationV1: endpoint({
    id: 'resourcemanager.v1.operations.get',
    method: 'GET',
    path: '/v1/operations/{operation}',
    permission: 'serviceusage.operations.get',
    resource: 'filtered',
    query: NO_QUERY,
    body: null,
    response: Operation,
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary:
      'Reads an operation whose name starts with cp. or akmf.; others under /v1 belong to the Gemini API.',
  }),
} as const
