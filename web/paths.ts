/** Every address of the console. Nothing else spells one. */

export interface KeyPlace {
  readonly project: string
  readonly key: string
}

export const PATHS = {
  signIn: '/sign-in',
  keys: '/keys',
  newKey: '/keys/new',
  key: '/projects/:project/keys/:key',
  editKey: '/projects/:project/keys/:key/edit',
  projects: '/projects',
} as const

export function keysPath(search: Readonly<Record<string, string>> = {}): string {
  return withSearch(PATHS.keys, search)
}

/** Create key; the search fills the form in, e.g. `{ project, name, models }`. */
export function newKeyPath(search: Readonly<Record<string, string>> = {}): string {
  return withSearch(PATHS.newKey, search)
}

export function keyPath({ project, key }: KeyPlace): string {
  return `/projects/${encodeURIComponent(project)}/keys/${encodeURIComponent(key)}`
}

export function editKeyPath(place: KeyPlace): string {
  return `${keyPath(place)}/edit`
}

function withSearch(path: string, search: Readonly<Record<string, string>>): string {
  const text = new URLSearchParams(Object.entries(search).filter(([, value]) => value !== '')).toString()
  return text === '' ? path : `${path}?${text}`
}
