/** A key's restrictions in a few words each. */
import type { KeyJson } from '../queries.ts'

type Restricted = Pick<KeyJson, 'restrictions' | 'allowedModels' | 'allowedTools'>

/** Empty: the key may do everything. */
export function chipsOf({ restrictions = {}, allowedModels, allowedTools }: Restricted): readonly string[] {
  const { serverKeyRestrictions, browserKeyRestrictions, androidKeyRestrictions, iosKeyRestrictions } =
    restrictions
  const methods = (restrictions.apiTargets ?? []).flatMap(({ service, methods = [] }) =>
    methods.length === 0 ? [service] : methods,
  )
  return [
    counted(serverKeyRestrictions?.allowedIps, 'address', 'addresses'),
    counted(browserKeyRestrictions?.allowedReferrers, 'referrer', 'referrers'),
    counted(
      androidKeyRestrictions?.allowedApplications?.map(app => app.packageName),
      'app',
      'Android apps',
    ),
    counted(iosKeyRestrictions?.allowedBundleIds, 'app', 'iOS apps'),
    methods.length === 0 ? null : counted(methods, 'method', 'methods'),
    chosen(allowedModels, 'model', 'models'),
    chosen(allowedTools, 'tool', 'tools'),
  ].filter(chip => chip !== null)
}

/** One entry is named, more are counted. An empty list restricts nothing. */
function counted(entries: readonly string[] | undefined, one: string, many: string): string | null {
  const [first, ...rest] = entries ?? []
  if (first === undefined) return null
  return rest.length === 0 ? `${one} ${first}` : `${rest.length + 1} ${many}`
}

/** As `counted`, but an empty list allows nothing. */
function chosen(entries: readonly string[] | null | undefined, one: string, many: string): string | null {
  if (entries === null || entries === undefined) return null
  return entries.length === 0 ? `no ${many}` : counted(entries, one, many)
}
