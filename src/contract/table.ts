import { APIKEYS_V2 } from './apikeys.v2.ts'
import { AUDIT_V1 } from './audit.v1.ts'
import { KEY_BUDGETS_V1, LEDGER_V1, ORGANIZATION_BUDGETS_V1, PROJECT_BUDGETS_V1 } from './budgets.v1.ts'
import { BODIES_V1 } from './bodies.v1.ts'
import { CALLS_V1 } from './calls.v1.ts'
import type { Endpoint } from './endpoint.ts'
import { ORGANIZATION_IAM_V1, PROJECT_IAM_V3 } from './iam.v3.ts'
import { POLLUX_V1 } from './pollux.v1.ts'
import { PRICES_V1 } from './prices.v1.ts'
import { PROJECTS_V3 } from './projects.v3.ts'
import { SERVICE_ACCOUNTS_V1 } from './service-accounts.v1.ts'
import { KEY_QUOTAS_V1, PROJECT_QUOTAS_V1, QUOTAS_V1, TIERS_V1 } from './quotas.v1.ts'
import { SESSION_V1, SIGN_IN_V1 } from './sign-in.v1.ts'
import { USERS_V1 } from './users.v1.ts'
import { SERVER_V1 } from './server.v1.ts'

/** Every endpoint of the management plane. What is not here is not served. */
export const ENDPOINTS: readonly Endpoint[] = [
  ...Object.values(APIKEYS_V2),
  ...Object.values(PROJECTS_V3),
  ...Object.values(POLLUX_V1),
  ...Object.values(CALLS_V1),
  ...Object.values(BODIES_V1),
  ...Object.values(ORGANIZATION_BUDGETS_V1),
  ...Object.values(PROJECT_BUDGETS_V1),
  ...Object.values(KEY_BUDGETS_V1),
  ...Object.values(LEDGER_V1),
  ...Object.values(PROJECT_IAM_V3),
  ...Object.values(ORGANIZATION_IAM_V1),
  ...Object.values(SERVICE_ACCOUNTS_V1),
  ...Object.values(PROJECT_QUOTAS_V1),
  ...Object.values(KEY_QUOTAS_V1),
  ...Object.values(QUOTAS_V1),
  ...Object.values(TIERS_V1),
  ...Object.values(AUDIT_V1),
  ...Object.values(PRICES_V1),
  ...Object.values(SIGN_IN_V1),
  ...Object.values(SESSION_V1),
  ...Object.values(USERS_V1),
  ...Object.values(SERVER_V1),
]

/** Whether a decoded path belongs to the management plane, served or not. Under /v1 only its operations do. */
export function isManagementPath(path: string): boolean {
  return /^\/(?:v2|v3|pollux)(?:\/|$)|^\/metrics$|^\/v1\/operations\/(?:cp|akmf)\./.test(path)
}
