/** The same key without the console: what the form would do, as commands to paste. */
import { KEY_BUDGETS_V1 } from '../../src/contract/budgets.v1.ts'
import { fillTemplate } from '../../src/contract/endpoint.ts'
import { POLLUX_V1 } from '../../src/contract/pollux.v1.ts'
import { KEY_QUOTAS_V1 } from '../../src/contract/quotas.v1.ts'
import { type KeyDraft, bodyOf, capOf, linesOf, quotasOf } from './draft.ts'

export interface Place {
  readonly origin: string
  readonly keyId: string | undefined
  readonly nowMs: number
}

/** For the command line. */
export function cliCommands(draft: KeyDraft, { keyId, nowMs }: Place): string {
  const body = bodyOf(draft, nowMs)
  const list = (entries: readonly string[]): string => entries.join(',')
  const flags: readonly (readonly [string, string | undefined])[] = [
    ['--project', draft.project],
    ['--key-id', keyId],
    ['--display-name', body.displayName],
    ['--environment', body.environment ?? undefined],
    ['--allowed-ips', draft.clients === 'addresses' ? list(linesOf(draft.addresses)) : undefined],
    ['--allowed-referrers', draft.clients === 'referrers' ? list(linesOf(draft.referrers)) : undefined],
    ...(body.restrictions?.androidKeyRestrictions?.allowedApplications ?? []).map(
      app =>
        [
          '--allowed-application',
          `sha1_fingerprint=${app.sha1Fingerprint},package_name=${app.packageName}`,
        ] as const,
    ),
    ['--allowed-bundle-ids', draft.clients === 'bundleIds' ? list(linesOf(draft.bundleIds)) : undefined],
    ...(body.restrictions?.apiTargets ?? []).map(
      ({ service, methods = [] }) =>
        ['--api-target', `service=${service},methods=${methods.join(';')}`] as const,
    ),
    ['--allowed-models', list(body.allowedModels ?? [])],
    ['--allowed-tools', body.allowedTools ? list(body.allowedTools) || 'none' : undefined],
    ['--expire-time', body.expireTime ?? undefined],
  ]
  const create = command('pollux keys create', flags)
  const place = [
    ['--project', draft.project],
    ['--key', keyId ?? 'KEY'],
  ] as const
  const quotas = quotasOf(draft).map(({ metric, value }) =>
    command('pollux quotas set', [
      ...place,
      ['--metric', metric],
      ['--value', value === '-1' ? 'unlimited' : value],
    ]),
  )
  if (capOf(draft) === null) return [create, ...quotas].join('\n')
  const budget = command('pollux budgets set', [
    ...place,
    ['--period', draft.period],
    ['--cap', draft.cap.trim()],
    ['--policy', draft.policy],
  ])
  return [create, budget, ...quotas].join('\n')
}

/** For any HTTP client. The token comes from the environment: no secret stands in a command. */
export function curlCommands(draft: KeyDraft, { origin, keyId, nowMs }: Place): string {
  const keys = fillTemplate(POLLUX_V1.createKey.path, { project: draft.project || 'PROJECT' })
  const create = curl(`${origin}${keys}${keyId === undefined ? '' : `?keyId=${keyId}`}`, bodyOf(draft, nowMs))
  const cap = capOf(draft)
  const params = { project: draft.project || 'PROJECT', key: keyId ?? 'KEY' }
  const budgets = fillTemplate(KEY_BUDGETS_V1.createBudget.path, params)
  const limits = `${origin}${fillTemplate(KEY_QUOTAS_V1.setQuotaLimit.path, params)}`
  return [
    create,
    ...(cap === null
      ? []
      : [curl(`${origin}${budgets}?budgetId=${draft.period}`, { cap, policy: draft.policy })]),
    ...quotasOf(draft).map(limit => curl(limits, limit)),
  ].join('\n')
}

function curl(url: string, body: unknown): string {
  return [
    `curl -X POST ${shellWord(url)}`,
    `  -H "Authorization: Bearer $POLLUX_TOKEN" -H 'content-type: application/json'`,
    `  -d ${shellWord(JSON.stringify(body))}`,
  ].join(' \\\n')
}

function command(verb: string, flags: readonly (readonly [string, string | undefined])[]): string {
  const given = flags.filter(([, value]) => value !== undefined && value !== '')
  return [verb, ...given.map(([flag, value = '']) => `  ${flag} ${shellWord(value)}`)].join(' \\\n')
}

/** One word for a POSIX shell. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
