/** `pollux projects`. */
import { type Command, Option } from 'commander'
import type { BodyOf, ResponseOf } from '../contract/endpoint.ts'
import { POLLUX_V1 } from '../contract/pollux.v1.ts'
import type { ModelAlias } from '../domain/project.ts'
import { type YesFlag, addYesFlag, confirm } from './ask.ts'
import { PROJECT_BODIES } from './bodies.ts'
import {
  type CommandRow,
  type Invocation,
  type Session,
  addCommand,
  note,
  printJson,
  printTable,
  shownTime,
} from './command.ts'
import { usageError } from './errors.ts'
import { modelAliases, pairs } from './flags.ts'
import { pairsLine } from './key-view.ts'
import { type EtagFlag, addEtagFlag, idOf, projectArgument } from './resource-arguments.ts'
import { renderDetails } from './table.ts'

type ProjectJson = ResponseOf<typeof POLLUX_V1.getProject>
type ProjectInput = BodyOf<typeof POLLUX_V1.createProject>

const PAGE_SIZE = 300

interface ProjectFlags {
  readonly displayName?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly modelAlias?: Readonly<Record<string, ModelAlias>>
  readonly tier?: string
  readonly recoverableKeys?: boolean
}

interface ClearFlags {
  readonly clearLabels?: boolean
  readonly clearModelAliases?: boolean
  readonly clearTier?: boolean
}

export function addProjectCommands(program: Command, session: Session): void {
  const projects = program.command('projects').description('make and manage projects')
  addCommand(projects, session, LIST)
  addCommand(projects, session, GET)
  addCommand(projects, session, CREATE)
  addCommand(projects, session, UPDATE)
  addCommand(projects, session, DELETE)
  addCommand(projects, session, UNDELETE)
  addCommand(projects, session, PROJECT_BODIES)
}

const LIST: CommandRow<{ readonly showDeleted?: boolean }> = {
  usage: 'list',
  summary: 'list the projects by name',
  examples: ['pollux projects list', 'pollux projects list --show-deleted --json'],
  addFlags(command) {
    command.option('--show-deleted', 'also what was deleted less than 30 days ago')
  },
  async run(invocation) {
    const { flags, server } = invocation
    const { client } = server()
    const projects: ProjectJson[] = []
    let pageToken: string | undefined
    do {
      const query = { pageSize: PAGE_SIZE, pageToken, showDeleted: flags.showDeleted }
      const page = await client.call(POLLUX_V1.listProjects, { query })
      projects.push(...(page.projects ?? []))
      pageToken = page.nextPageToken
    } while (pageToken !== undefined && pageToken !== '')
    if (flags.json) return printJson(invocation, { projects })
    const columns = [
      { title: 'PROJECT', isKept: true, isIdentity: true },
      { title: 'NAME', isKept: true },
      { title: 'STATE', isWhole: true, isKept: true },
      { title: 'NUMBER', isWhole: true },
      { title: 'CREATED', isWhole: true },
      { title: 'LABELS' },
    ]
    const rows = projects.map(project => [
      project.projectId,
      project.displayName ?? '',
      project.state,
      idOf(project.name),
      shownTime(invocation, project.createTime),
      pairsLine(project.labels ?? {}),
    ])
    printTable(invocation, { columns, rows }, 'No projects. Make one with: pollux projects create')
  },
}

const GET: CommandRow<object> = {
  usage: 'get <project>',
  summary: 'show a project',
  examples: ['pollux projects get default-project'],
  async run(invocation) {
    const params = projectParams(invocation)
    printProject(invocation, await invocation.server().client.call(POLLUX_V1.getProject, { params }))
  },
}

const CREATE: CommandRow<ProjectFlags> = {
  usage: 'create <project>',
  summary: 'make a project of this id',
  examples: ['pollux projects create web-shop --display-name "Web shop" --labels team=web,tier=one'],
  addFlags: addProjectFields,
  async run(invocation) {
    const { project: projectId } = projectParams(invocation)
    const body = { ...projectInput(invocation.flags), projectId }
    printProject(invocation, await invocation.server().client.call(POLLUX_V1.createProject, { body }))
  },
}

const UPDATE: CommandRow<ProjectFlags & ClearFlags & EtagFlag> = {
  usage: 'update <project>',
  summary: 'change the fields that flags are given for, and no others',
  examples: ['pollux projects update default-project --model-alias gemini-pro=gemini-3.8-pro@v1beta'],
  addFlags(command) {
    addProjectFields(command)
    command
      .addOption(new Option('--clear-labels', 'no labels').conflicts('labels'))
      .addOption(new Option('--clear-model-aliases', 'no aliases').conflicts('modelAlias'))
      .addOption(new Option('--clear-tier', 'no tier: no limits but its own').conflicts('tier'))
    addEtagFlag(command, 'project')
  },
  async run(invocation) {
    const { flags, server } = invocation
    const params = projectParams(invocation)
    const fields = {
      ...projectInput(flags),
      ...(flags.clearLabels ? { labels: {} } : {}),
      ...(flags.clearModelAliases ? { modelAliases: {} } : {}),
      ...(flags.clearTier ? { tier: '' } : {}),
    }
    const updateMask = Object.keys(fields).join(',')
    if (updateMask === '') {
      throw usageError('No flag says what to change.', 'pollux projects update --help lists them.')
    }
    const body = flags.etag === undefined ? fields : { ...fields, etag: flags.etag }
    const input = { params, query: { updateMask }, body }
    printProject(invocation, await server().client.call(POLLUX_V1.updateProject, input))
  },
}

const DELETE: CommandRow<EtagFlag & YesFlag> = {
  usage: 'delete <project>',
  summary: 'refuse all keys of a project; it can be undeleted for 30 days',
  examples: ['pollux projects delete web-shop', 'pollux projects delete web-shop --yes'],
  addFlags(command) {
    addEtagFlag(command, 'project')
    addYesFlag(command)
  },
  async run(invocation) {
    const { flags, server } = invocation
    const params = projectParams(invocation)
    await confirm(invocation, 'pollux projects delete', async () => {
      const { projectId } = await server().client.call(POLLUX_V1.getProject, { params })
      const question = `All keys of ${projectId} will be refused at once. Type the project's id to delete it:`
      return { question, expected: projectId }
    })
    const query = flags.etag === undefined ? {} : { etag: flags.etag }
    const project = await server().client.call(POLLUX_V1.deleteProject, { params, query })
    if (flags.json) return printJson(invocation, project)
    const { projectId } = project
    note(
      invocation,
      `Project ${projectId} is deleted; \`pollux projects undelete\` brings it back within 30 days.`,
    )
  },
}

const UNDELETE: CommandRow<EtagFlag> = {
  usage: 'undelete <project>',
  summary: 'bring back a project that was deleted less than 30 days ago',
  examples: ['pollux projects undelete web-shop'],
  addFlags: command => addEtagFlag(command, 'project'),
  async run(invocation) {
    const { etag } = invocation.flags
    const input = { params: projectParams(invocation), body: etag === undefined ? {} : { etag } }
    const project = await invocation.server().client.call(POLLUX_V1.undeleteProject, input)
    if (invocation.flags.json) return printJson(invocation, project)
    note(invocation, `Project ${project.projectId} is back, and so are its keys.`)
  },
}

function addProjectFields(command: Command): void {
  command
    .option('--display-name <name>', 'a name for people, 4 to 30 characters')
    .option('--labels <pairs>', 'NAME=VALUE,...', pairs)
    .option('--model-alias <pairs>', 'ALIAS=MODEL[@VERSION],...: another name for a model', modelAliases)
    .option('--tier <tier>', 'the tier whose limits it has (`pollux tiers list`)')
    .option('--recoverable-keys', 'keep the keyStrings of keys made from now on, sealed, for `keys reveal`')
    .option('--no-recoverable-keys', 'keep none, and forget those that were kept')
}

function projectParams({ args }: Pick<Invocation<unknown>, 'args'>): { readonly project: string } {
  return { project: projectArgument(args[0] ?? '') }
}

function projectInput({
  displayName,
  labels,
  modelAlias,
  tier,
  recoverableKeys,
}: ProjectFlags): ProjectInput {
  return {
    ...(displayName === undefined ? {} : { displayName }),
    ...(labels === undefined ? {} : { labels: { ...labels } }),
    ...(modelAlias === undefined ? {} : { modelAliases: { ...modelAlias } }),
    ...(tier === undefined ? {} : { tier }),
    ...(recoverableKeys === undefined ? {} : { recoverableKeys }),
  }
}

function printProject(invocation: Invocation<unknown>, project: ProjectJson): void {
  if (invocation.flags.json) return printJson(invocation, project)
  const aliases = Object.entries(project.modelAliases ?? {}).map(
    ([alias, { model, apiVersion }]) =>
      `${alias}=${model}${apiVersion === undefined ? '' : `@${apiVersion}`}`,
  )
  const text = renderDetails([
    ['Project', project.projectId],
    ['Name', project.displayName ?? ''],
    ['Number', idOf(project.name)],
    ['State', project.state],
    ['Tier', project.tier ?? ''],
    ['Parent', project.parent],
    ['Created', shownTime(invocation, project.createTime)],
    ['Updated', shownTime(invocation, project.updateTime)],
    ['Deleted', shownTime(invocation, project.deleteTime)],
    ['Labels', pairsLine(project.labels ?? {})],
    ['Aliases', aliases.join(', ')],
    ['Recoverable', project.recoverableKeys ? 'keys made from now on' : ''],
    ['Etag', project.etag],
  ])
  invocation.io.stdout.write(text)
}
