import { invalidField } from './error.ts'
import type { Project } from './project.ts'

type Test = (project: Project) => boolean

/** The fields a query term can name (resourcemanager v3, SearchProjectsRequest.query), each with the texts it means. */
const FIELDS: Readonly<Record<string, (project: Project) => readonly string[]>> = {
  name: project => [project.displayName],
  displayname: project => [project.displayName],
  projectid: project => [project.projectId],
  id: project => [project.projectId],
  projectnumber: project => [project.number],
  parent: project => [project.parent],
  state: projectState,
  lifecyclestate: projectState,
  labels: project => Object.entries(project.labels).flat(),
}

function projectState(project: Project): readonly string[] {
  return [project.deleteTimeMs === null ? 'ACTIVE' : 'DELETE_REQUESTED']
}

const TERM = /(?:([A-Za-z][\w.-]*)[:=])?(?:"([^"]*)"|(\S+))/g

/**
 * A test for a search query: terms such as `name:how*`, `labels.color:red`, `state:ACTIVE`, `"my project"`. Case does not
 * count, a `*` at the end matches any rest, and a project that meets one of several terms is found. An empty query finds
 * all. Throws FIELD_INVALID for a field that does not exist.
 */
export function compileProjectQuery(query: string): Test {
  const tests = [...query.trim().matchAll(TERM)].map(([, field, quoted, bare]) =>
    compileTerm(field, quoted ?? bare ?? ''),
  )
  return project => tests.length === 0 || tests.some(test => test(project))
}

function compileTerm(field: string | undefined, text: string): Test {
  const pattern = text.toLowerCase()
  const matches = (value: string): boolean =>
    pattern.endsWith('*')
      ? value.toLowerCase().startsWith(pattern.slice(0, -1))
      : value.toLowerCase() === pattern
  if (field === undefined) return project => [project.displayName, project.projectId].some(matches)
  const name = field.replaceAll('_', '').toLowerCase()
  if (name.startsWith('labels.')) {
    const label = field.slice('labels.'.length)
    return project => Object.hasOwn(project.labels, label) && matches(project.labels[label] ?? '')
  }
  const read = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined
  if (read === undefined) {
    throw invalidField(
      'query',
      'the fields of a term are name, projectId, parent, state, labels and labels.<key>',
    )
  }
  return project => read(project).some(matches)
}
