/** schemathesis against the OpenAPI document of a running Pollux in which there is something of everything. */
import { execFile } from 'node:child_process'
import { dirname, join } from 'node:path'
import { KEY_BUDGETS_V1, ORGANIZATION_BUDGETS_V1, PROJECT_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { SERVICE_ACCOUNTS_V1 } from '../src/contract/service-accounts.v1.ts'
import { TestBrowser, setUpOwner } from './people.ts'
import { ADMIN_TOKEN, type Pollux } from './pollux.ts'
import { PYTHON_SCRIPTS, pythonWith } from './python.ts'

export const SCHEMATHESIS_REQUIREMENTS = 'schemathesis.txt'

/** What is asked of each reply: no 5xx, and nothing that the document does not say. */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'ignored_auth',
]

/** The names that test/clients/python/schemathesis.toml gives. */
export async function furnish(pollux: Pollux): Promise<void> {
  const { client, origin } = pollux
  const port = Number(new URL(origin).port)
  await setUpOwner({ client, port }, new TestBrowser({ port }))
  for (const projectId of ['fuzz-project', 'doomed']) {
    await client.call(POLLUX_V1.createProject, { body: { projectId, recoverableKeys: true } })
  }
  const params = { project: 'fuzz-project' }
  const budget = { query: {}, body: { period: 'month', cap: '5000000000' } } as const
  await client.call(POLLUX_V1.createKey, { params, query: { keyId: 'fuzz-key' }, body: {} })
  await client.call(SERVICE_ACCOUNTS_V1.createServiceAccount, {
    params,
    query: { accountId: 'fuzz-robot' },
    body: {},
  })
  await client.call(ORGANIZATION_BUDGETS_V1.createBudget, { params: { organization: '1' }, ...budget })
  await client.call(PROJECT_BUDGETS_V1.createBudget, { params, ...budget })
  await client.call(KEY_BUDGETS_V1.createBudget, { params: { ...params, key: 'fuzz-key' }, ...budget })
}

export interface Finding {
  readonly code: number | null
  readonly output: string
}

/** Runs it to its end; `code` 0 says that every reply was as the document has it. */
export async function fuzz(
  { origin }: Pick<Pollux, 'origin'>,
  { seed, seconds, examples }: { readonly seed: number; readonly seconds: number; readonly examples: number },
): Promise<Finding> {
  const python = await pythonWith(SCHEMATHESIS_REQUIREMENTS)
  const program = join(dirname(python), 'schemathesis')
  const argv = [
    '--no-color',
    ['--config-file', join(PYTHON_SCRIPTS, 'schemathesis.toml')],
    ['run', `${origin}/pollux/v1/openapi.json`],
    ['--header', `Authorization: Bearer ${ADMIN_TOKEN}`],
    ['--checks', CHECKS.join(',')],
    ['--max-time', String(seconds)],
    ['--max-examples', String(examples)],
    ['--seed', String(seed)],
    ['--generation-database', 'none'],
    '--continue-on-failure',
    ['--warnings', 'off'],
  ].flat()
  const env = { PATH: process.env['PATH'], PYTHONDONTWRITEBYTECODE: '1' }
  return await new Promise(resolve => {
    // It keeps notes where it runs.
    const options = { env, cwd: dirname(dirname(python)), maxBuffer: 64 * 1024 * 1024 }
    const child = execFile(program, argv, options, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, output: stdout + stderr }),
    )
  })
}
