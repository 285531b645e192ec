/** Every address of the console. Nothing else spells one. */

export interface KeyPlace {
  readonly project: string
  readonly key: string
}

export const PATHS = {
  signIn: '/sign-in',
  signInCallback: '/sign-in/callback',
  setUp: '/set-up',
  invite: '/invite',
  reset: '/reset',
  keys: '/keys',
  newKey: '/keys/new',
  key: '/projects/:project/keys/:key',
  editKey: '/projects/:project/keys/:key/edit',
  projects: '/projects',
  project: '/projects/:project/:tab?',
  usage: '/usage',
  spend: '/spend',
  prices: '/spend/prices',
  limits: '/limits',
  tiers: '/limits/tiers',
  newTier: '/limits/tiers/new',
  tier: '/limits/tiers/:tier',
  members: '/members',
  person: '/members/people/:user',
  serviceAccounts: '/members/service-accounts',
  serviceAccount: '/members/service-accounts/:project/:account',
  roles: '/members/roles',
  calls: '/calls',
  security: '/security',
  audit: '/audit',
  findInAudit: '/audit/find',
  verifyAudit: '/audit/verify',
  settings: '/settings',
  serverSettings: '/settings/server',
} as const

/** The door, and where to go from there. */
export function signInPath(to = '/'): string {
  return withSearch(PATHS.signIn, { to: to === '/' ? '' : to })
}

/** An address of this console; its start in place of anything that leads elsewhere. */
export function ownPath(to: string): string {
  const url = URL.canParse(to, location.origin) ? new URL(to, location.origin) : null
  return url?.origin === location.origin ? `${url.pathname}${url.search}${url.hash}` : '/'
}

export function keysPath(search: Readonly<Record<string, string>> = {}): string {
  return withSearch(PATHS.keys, search)
}

/** Create key; the search fills the form in, e.g. `{ project, name, models }`. */
export function newKeyPath(search: Readonly<Record<string, string>> = {}): string {
  return withSearch(PATHS.newKey, search)
}

/** The calls; the search filters them, and opens one. */
export function callsPath(search: Readonly<Record<string, string>> = {}): string {
  return withSearch(PATHS.calls, search)
}

/** What models cost; of those whose names contain `q`. */
export function pricesPath(q = ''): string {
  return withSearch(PATHS.prices, { q })
}

/** What the organization, a project or a key spends. */
export function spendPath({
  project,
  key,
}: {
  readonly project: string | null
  readonly key: string | null
}): string {
  return withSearch(PATHS.spend, { project: project ?? '', key: key ?? '' })
}

export function keyPath({ project, key }: KeyPlace): string {
  return `/projects/${encodeURIComponent(project)}/keys/${encodeURIComponent(key)}`
}

/** Usage; the search presets what is shown, e.g. `{ project, key }`. */
export function usagePath(search: Readonly<Record<string, string>> = {}): string {
  return withSearch(PATHS.usage, search)
}

export function editKeyPath(place: KeyPlace): string {
  return `${keyPath(place)}/edit`
}

/** The limits of a project. */
export function limitsPath(project = ''): string {
  return withSearch(PATHS.limits, { project })
}

/** A project, or one of its other tabs; without one all projects. */
export function projectPath(project = '', tab: '' | 'settings' | 'aliases' = ''): string {
  return [PATHS.projects, encodeURIComponent(project), tab].filter(part => part !== '').join('/')
}

export function tierPath(tier: string): string {
  return `${PATHS.tiers}/${encodeURIComponent(tier)}`
}

/** Make a tier, beginning with a copy of another. */
export function newTierPath(from = ''): string {
  return withSearch(PATHS.newTier, { from })
}

/** A person, by e-mail address or uid. */
export function personPath(user: string): string {
  return `/members/people/${encodeURIComponent(user)}`
}

export function serviceAccountPath(project: string, account: string): string {
  return `${PATHS.serviceAccounts}/${encodeURIComponent(project)}/${encodeURIComponent(account)}`
}

function withSearch(path: string, search: Readonly<Record<string, string>>): string {
  const text = new URLSearchParams(Object.entries(search).filter(([, value]) => value !== '')).toString()
  return text === '' ? path : `${path}?${text}`
}
