/** Keys for people. */
import { isModelId } from '../domain/model.ts'
import { type CliIo, type Invocation, shownTime } from './command.ts'
import type { KeyJson } from './key-flags.ts'
import { printable } from './printable.ts'
import { idOf } from './resource-arguments.ts'
import { type Table, renderDetails } from './table.ts'

type Restrictions = NonNullable<KeyJson['restrictions']>
type Viewer = Pick<Invocation<unknown>, 'io' | 'nowMs'>

export function keysTable(viewer: Viewer, keys: readonly KeyJson[]): Table {
  return {
    columns: [
      { title: 'KEY', isKept: true, isIdentity: true },
      { title: 'NAME', isKept: true },
      { title: 'STATE', isWhole: true, isKept: true },
      { title: 'LAST USED', isWhole: true },
      { title: 'KEY STRING', isWhole: true },
      { title: 'EXPIRES', isWhole: true },
      { title: 'RESTRICTIONS' },
    ],
    rows: keys.map(key => [
      idOf(key.name),
      key.displayName ?? '',
      key.state,
      shownTime(viewer, key.lastUsedTime, 'never'),
      key.maskedKeyString,
      shownTime(viewer, key.expireTime, 'never'),
      restrictionsLine(key),
    ]),
  }
}

export function keyDetails(viewer: Viewer, key: KeyJson): string {
  const time = (value: string | null | undefined, absent = ''): string => shownTime(viewer, value, absent)
  return renderDetails([
    ['Key', idOf(key.name)],
    ['Name', key.displayName ?? ''],
    ['State', key.state],
    ['Key string', key.maskedKeyString],
    ['Resource', key.name],
    ['Uid', key.uid],
    ['Environment', key.environment ?? ''],
    ['Created', time(key.createTime)],
    ['Updated', time(key.updateTime)],
    ['Last used', time(key.lastUsedTime, 'never')],
    ['Expires', time(key.expireTime, 'never')],
    ['Disabled', time(key.disabledTime)],
    ['Deleted', time(key.deleteTime)],
    ['Clients', clientsLine(key.restrictions ?? {}) || 'any'],
    ['APIs', targetsLine(key.restrictions ?? {}) || 'any'],
    ['Models', listLine(key.allowedModels)],
    ['Tools', listLine(key.allowedTools)],
    ['Annotations', pairsLine(key.annotations ?? {})],
    ['Etag', key.etag],
  ])
}

/** What is printed once, when a key is made: the keyString and how to use it. */
export function newKeyText(
  { io, url, key }: { readonly io: CliIo; readonly url: string; readonly key: KeyJson },
  keyString: string,
): string {
  const bold = (text: string): string =>
    io.colour && io.stdout.isTTY === true ? `\u001b[1m${text}\u001b[0m` : text
  const model = key.allowedModels?.find(isModelId)
  const call =
    model === undefined
      ? `curl '${url}/v1beta/models' -H "x-goog-api-key: $GEMINI_API_KEY"`
      : `curl '${url}/v1beta/models/${model}:generateContent' -H "x-goog-api-key: $GEMINI_API_KEY" ` +
        `-H 'content-type: application/json' -d '{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}'`
  return [
    `export GEMINI_API_KEY=${bold(printable(keyString))}`,
    `export GOOGLE_GEMINI_BASE_URL='${url}'`,
    call,
    '',
  ].join('\n')
}

export function pairsLine(pairs: Readonly<Record<string, string>>): string {
  return Object.entries(pairs)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')
}

/** Absent is everything, empty is nothing. */
function listLine(entries: readonly string[] | null | undefined): string {
  if (entries === undefined || entries === null) return 'any'
  return entries.length === 0 ? 'none' : entries.join(', ')
}

function clientsLine(restrictions: Restrictions): string {
  const { browserKeyRestrictions, serverKeyRestrictions, androidKeyRestrictions, iosKeyRestrictions } =
    restrictions
  const applications = androidKeyRestrictions?.allowedApplications ?? []
  return kindsLine([
    ['referrers', browserKeyRestrictions?.allowedReferrers],
    ['addresses', serverKeyRestrictions?.allowedIps],
    ['Android apps', applications.map(app => `${app.packageName} (${app.sha1Fingerprint})`)],
    ['iOS apps', iosKeyRestrictions?.allowedBundleIds],
  ])
}

function kindsLine(kinds: readonly (readonly [string, readonly string[] | undefined])[]): string {
  return kinds
    .filter(([, entries = []]) => entries.length > 0)
    .map(([kind, entries = []]) => `${kind} ${entries.join(', ')}`)
    .join('; ')
}

function targetsLine({ apiTargets = [] }: Restrictions): string {
  return apiTargets
    .map(({ service, methods = [] }) =>
      methods.length === 0 ? service : `${service} (${methods.join(', ')})`,
    )
    .join('; ')
}

function restrictionsLine(key: KeyJson): string {
  const restrictions = key.restrictions ?? {}
  const targets = targetsLine(restrictions)
  return (
    [
      clientsLine(restrictions),
      targets === '' ? '' : `APIs ${targets}`,
      key.allowedModels ? `models ${listLine(key.allowedModels)}` : '',
      key.allowedTools ? `tools ${listLine(key.allowedTools)}` : '',
    ]
      .filter(part => part !== '')
      .join('; ') || 'none'
  )
}
