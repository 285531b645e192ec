/**
 * The same key for Terraform: `google_apikeys_key` of the google provider (7.x), sent to this Pollux instead of Google. It says
 * what Google's API Keys v2 can say; the rest is named in a comment, so that nobody believes it was applied.
 */
import { type KeyDraft, bodyOf, capOf, quotasOf } from './draft.ts'
import type { Place } from './equivalents.ts'

export function terraformText(draft: KeyDraft, { origin, keyId, nowMs }: Place): string {
  const { displayName = '', restrictions = {} } = bodyOf(draft, nowMs)
  const { serverKeyRestrictions, browserKeyRestrictions, androidKeyRestrictions, iosKeyRestrictions } =
    restrictions ?? {}
  const inside = [
    ...listBlock('server_key_restrictions', 'allowed_ips', serverKeyRestrictions?.allowedIps),
    ...listBlock('browser_key_restrictions', 'allowed_referrers', browserKeyRestrictions?.allowedReferrers),
    ...listBlock('ios_key_restrictions', 'allowed_bundle_ids', iosKeyRestrictions?.allowedBundleIds),
    ...block(
      'android_key_restrictions',
      (androidKeyRestrictions?.allowedApplications ?? []).flatMap(({ packageName, sha1Fingerprint }) =>
        block('allowed_applications', [
          `package_name     = ${quoted(packageName)}`,
          `sha1_fingerprint = ${quoted(sha1Fingerprint)}`,
        ]),
      ),
    ),
    ...(restrictions?.apiTargets ?? []).flatMap(({ service, methods = [] }) =>
      block('api_targets', [`service = ${quoted(service)}`, `methods = ${list(methods)}`]),
    ),
  ]
  const id = keyId ?? 'key'
  return [
    '# The token comes from GOOGLE_OAUTH_ACCESS_TOKEN. The provider reads keys back, so the project needs',
    `# recoverable keys: pollux projects update ${draft.project || 'PROJECT'} --recoverable-keys`,
    ...block('provider "google"', [`apikeys_custom_endpoint = ${quoted(`${origin}/v2/`)}`]),
    '',
    ...block(`resource "google_apikeys_key" ${quoted(id.replaceAll('-', '_'))}`, [
      `project      = ${quoted(draft.project || 'PROJECT')}`,
      `name         = ${quoted(id)}`,
      `display_name = ${quoted(displayName)}`,
      ...(inside.length === 0 ? [] : ['', ...block('restrictions', inside)]),
    ]),
    ...missing(draft),
  ].join('\n')
}

/** What the form says and the resource cannot. */
function missing(draft: KeyDraft): readonly string[] {
  const { models, tools, environment, expiry } = draft
  const parts = [
    models.trim() === '' ? null : 'models',
    tools === null ? null : 'tools',
    environment === '' ? null : 'the environment',
    quotasOf(draft).length === 0 ? null : 'quotas',
    capOf(draft) === null ? null : 'the budget',
    expiry === 'never' ? null : 'the expiry',
  ].filter(part => part !== null)
  if (parts.length === 0) return []
  return [
    '',
    `# The resource has no field for ${parts.join(', ')}.`,
    '# Set them afterwards, as Command line shows: keys update, quotas set, budgets set.',
  ]
}

function listBlock(name: string, field: string, entries: readonly string[] | undefined): readonly string[] {
  return entries === undefined ? [] : block(name, [`${field} = ${list(entries)}`])
}

/** A block and its lines; none without lines. */
function block(head: string, lines: readonly string[]): readonly string[] {
  if (lines.length === 0) return []
  return [`${head} {`, ...lines.map(line => (line === '' ? '' : `  ${line}`)), '}']
}

function list(entries: readonly string[]): string {
  return `[${entries.map(quoted).join(', ')}]`
}

/** A string of HCL, in which `${` and `%{` would begin a template. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(/([$%])\{/g, '$1$1{')
}
