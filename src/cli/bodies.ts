/** `pollux projects bodies` and `pollux calls bodies`: what was asked and answered, where a project keeps that. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { BODIES_V1 } from '../contract/bodies.v1.ts'
import type { ResponseOf } from '../contract/endpoint.ts'
import { BODY_RETENTION_HOURS_MAX } from '../domain/call-bodies.ts'
import { type YesFlag, addYesFlag, confirm } from './ask.ts'
import { type CommandRow, type Invocation, note, printJson, shownTime } from './command.ts'
import { parseDuration } from './moment.ts'
import { printableLines } from './printable.ts'
import { type ProjectFlag, addProjectFlag, projectArgument, projectOf } from './resource-arguments.ts'

type SettingsJson = ResponseOf<typeof BODIES_V1.getBodySettings>
type BodyJson = ResponseOf<typeof BODIES_V1.getCallBodies>['request']

const HOUR_MS = 3_600_000

interface KeepFlags {
  /** Hours. */
  readonly keep?: number
  readonly keepNone?: boolean
}

export const PROJECT_BODIES: CommandRow<KeepFlags & YesFlag> = {
  usage: 'bodies <project>',
  summary: 'show whether request and reply of each call are kept; with a flag, change it',
  examples: ['pollux projects bodies web-shop --keep 24h', 'pollux projects bodies web-shop --keep-none'],
  addFlags(command: Command) {
    command
      .option('--keep <duration>', 'keep them for so long from each call on: 1h to 30d', hours)
      .addOption(new Option('--keep-none', 'keep none, and delete those that were kept').conflicts('keep'))
    addYesFlag(command)
  },
  async run(invocation) {
    const { flags, args, server } = invocation
    const project = projectArgument(args[0] ?? '')
    const params = { project }
    const { client } = server()
    const retentionHours = flags.keepNone ? null : flags.keep
    if (retentionHours === undefined)
      return printSettings(invocation, await client.call(BODIES_V1.getBodySettings, { params }))
    await confirm(invocation, 'pollux projects bodies', () => {
      const question =
        retentionHours === null
          ? 'All bodies of its calls that are kept will be deleted.'
          : 'What callers write and are answered will be kept, personal data included, for everybody to read who holds ' +
            'pollux.calls.getBodies in it.'
      return { question: `${question} Type ${project} to go on:`, expected: project }
    })
    const input = { params, query: { updateMask: 'retentionHours' }, body: { retentionHours } }
    printSettings(invocation, await client.call(BODIES_V1.updateBodySettings, input))
  },
}

export const CALL_BODIES: CommandRow<ProjectFlag> = {
  usage: 'bodies <request-id>',
  summary: 'show what was asked and answered in a call, where its project keeps that; it is audited',
  examples: ['pollux calls bodies 0b7e6a3e-5a43-4c6e-9a53-2f2a0c7f2f11 --project web-shop'],
  addFlags: addProjectFlag,
  async run(invocation) {
    const { flags, args, server, io } = invocation
    const params = { project: projectOf(flags), call: args[0] ?? '' }
    const bodies = await server().client.call(BODIES_V1.getCallBodies, { params })
    if (flags.json) return printJson(invocation, bodies)
    io.stdout.write(`${shown('REQUEST', bodies.request)}\n${shown('REPLY', bodies.reply)}`)
    note(invocation, `They are deleted ${shownTime(invocation, bodies.expireTime)}.`)
  },
}

/** A duration of whole hours. */
function hours(text: string): number {
  const count = (parseDuration(text) ?? Number.NaN) / HOUR_MS
  if (Number.isInteger(count) && count <= BODY_RETENTION_HOURS_MAX) return count
  throw new InvalidArgumentError('Write whole hours or days such as 24h or 7d, from 1h to 30d.')
}

function printSettings(invocation: Invocation<unknown>, settings: SettingsJson): void {
  if (invocation.flags.json) return printJson(invocation, settings)
  const { retentionHours } = settings
  if (retentionHours === undefined || retentionHours === null)
    return note(invocation, 'No bodies of calls are kept.')
  const time = retentionHours === 1 ? '1 hour' : `${retentionHours} hours`
  invocation.io.stdout.write(`Bodies of calls are kept for ${time}.\n`)
}

function shown(title: string, { text, sizeBytes, truncated }: BodyJson): string {
  const cut = truncated ? ', of which this is the beginning' : ''
  return `${title} (${sizeBytes} bytes${cut})\n${printableLines(text)}\n`
}
