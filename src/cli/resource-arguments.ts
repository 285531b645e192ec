/** Projects and keys as they are named on the command line: by id, number, uid, or full resource name. */
import type { Command } from 'commander'
import { DEFAULT_PROJECT_ID } from '../domain/project.ts'
import { usageError } from './errors.ts'

export interface ProjectFlag {
  readonly project?: string
}

const PROJECT_NAME = /^projects\/([^/]+)$/
const KEY_NAME = /^projects\/([^/]+)\/(?:locations\/global\/)?keys\/([^/]+)$/

export function addProjectFlag(command: Command): void {
  command.option('-p, --project <project>', `id or number of the project (default: ${DEFAULT_PROJECT_ID})`)
}

export interface EtagFlag {
  readonly etag?: string
}

/** `what` names the resource: `key`. */
export function addEtagFlag(command: Command, what: string): void {
  command.option('--etag <etag>', `refuse when the ${what} was changed since it had this etag`)
}

/** `web` or `projects/web`. */
export function projectArgument(text: string): string {
  return requireId(PROJECT_NAME.exec(text)?.[1] ?? text, 'project')
}

export function projectOf({ project = DEFAULT_PROJECT_ID }: ProjectFlag): string {
  return projectArgument(project)
}

/** `web` in --project, or `projects/P/locations/global/keys/web`, which names its project itself. */
export function keyArgument(
  text: string,
  flags: ProjectFlag,
): { readonly project: string; readonly key: string } {
  const [, project, key] = KEY_NAME.exec(text) ?? []
  if (project === undefined || key === undefined)
    return { project: projectOf(flags), key: requireId(text, 'key') }
  if (flags.project !== undefined && projectOf(flags) !== project) {
    throw usageError('The name of the key and --project name two different projects.', 'Leave out --project.')
  }
  return { project, key }
}

/** `deploy-robot`, its e-mail, or `serviceAccount:` and its e-mail. */
export function accountArgument(text: string): string {
  return requireId(text.replace(/^serviceAccount:/i, ''), 'service account')
}

/** The last segment of a resource name. */
export function idOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}

const FORMS = {
  project: 'projects/PROJECT',
  key: 'projects/PROJECT/locations/global/keys/KEY',
  'service account': 'ACCOUNT@PROJECT.iam.pollux.internal',
} as const

function requireId(id: string, kind: keyof typeof FORMS): string {
  if (id !== '' && !id.includes('/') && id !== '.' && id !== '..') return id
  throw usageError(`This is neither the id of a ${kind} nor a name of the form ${FORMS[kind]}.`)
}
