/** The flags that describe a key, and the request body they make. */
import { type Command, Option } from 'commander'
import type { BodyOf, ResponseOf } from '../contract/endpoint.ts'
import type { POLLUX_V1 } from '../contract/pollux.v1.ts'
import {
  type AllowedTool,
  type AndroidApplication,
  type ApiTarget,
  ENVIRONMENTS,
  type Environment,
} from '../domain/key.ts'
import { usageError } from './errors.ts'
import {
  androidApplication,
  apiTarget,
  instant,
  list,
  listOrNone,
  pairs,
  timeIn,
  toolsOrNone,
} from './flags.ts'

type KeyInput = BodyOf<typeof POLLUX_V1.updateKey>
type RestrictionsJson = NonNullable<KeyInput['restrictions']>
export type KeyJson = ResponseOf<typeof POLLUX_V1.getKey>

export interface KeyFlags {
  readonly displayName?: string
  readonly allowedIps?: readonly string[]
  readonly allowedReferrers?: readonly string[]
  readonly allowedApplication?: readonly AndroidApplication[]
  readonly allowedBundleIds?: readonly string[]
  readonly apiTarget?: readonly ApiTarget[]
  readonly allowedModels?: readonly string[]
  readonly allowedTools?: readonly AllowedTool[]
  readonly environment?: Environment
  readonly expireTime?: string
  readonly expires?: string
  readonly annotations?: Readonly<Record<string, string>>
}

export interface ClearFlags {
  readonly clearRestrictions?: boolean
  readonly clearClientRestrictions?: boolean
  readonly clearApiTargets?: boolean
  readonly clearAllowedModels?: boolean
  readonly clearAllowedTools?: boolean
  readonly clearEnvironment?: boolean
  readonly clearExpireTime?: boolean
  readonly clearAnnotations?: boolean
}

const CLIENT_FLAGS = ['allowedIps', 'allowedReferrers', 'allowedApplication', 'allowedBundleIds'] as const

export function addKeyFlags(command: Command): void {
  command
    .option('--display-name <name>', 'a name for people, at most 63 characters')
    .option('--allowed-ips <list>', 'addresses and CIDR ranges that may use the key', list)
    .option('--allowed-referrers <list>', 'web pages that may use the key, e.g. https://example.com/*', list)
    .option(
      '--allowed-application <fields>',
      'an Android app: sha1_fingerprint=F,package_name=P; repeatable',
      androidApplication,
    )
    .option('--allowed-bundle-ids <list>', 'iOS apps that may use the key', list)
    .option('--api-target <fields>', 'an API: service=S[,methods=M1;M2]; repeatable', apiTarget)
    .option('--allowed-models <list>', 'model ids, or a beginning and *; none for no model', listOrNone)
    .option(
      '--allowed-tools <list>',
      'googleSearch, googleMaps, codeExecution, urlContext, imageOutput, audioOutput; none for no tool',
      toolsOrNone,
    )
    .addOption(new Option('--environment <label>', 'a label for people').choices(ENVIRONMENTS))
    .addOption(
      new Option('--expire-time <time>', 'refused from this moment on (RFC 3339)')
        .argParser(instant)
        .conflicts('expires'),
    )
    .option('--expires <duration>', 'the same as a distance from now, e.g. 90d', timeIn)
    .option('--annotations <pairs>', 'NAME=VALUE,...', pairs)
}

export function addClearFlags(command: Command): void {
  const clear = (flag: string, what: string, conflicts: string[]): void => {
    command.addOption(new Option(flag, what).conflicts(conflicts))
  }
  const restrictions = [...CLIENT_FLAGS, 'apiTarget', 'clearClientRestrictions', 'clearApiTargets']
  clear('--clear-restrictions', 'every client and every API may be used', restrictions)
  clear('--clear-client-restrictions', 'every client may use the key', [...CLIENT_FLAGS])
  clear('--clear-api-targets', 'every API may be used', ['apiTarget'])
  clear('--clear-allowed-models', 'every model may be called', ['allowedModels'])
  clear('--clear-allowed-tools', 'every tool may be used', ['allowedTools'])
  clear('--clear-environment', 'no label', ['environment'])
  clear('--clear-expire-time', 'the key does not expire', ['expireTime', 'expires'])
  clear('--clear-annotations', 'no annotations', ['annotations'])
}

/** The body of a new key. */
export function keyInput(flags: KeyFlags): KeyInput {
  return { ...plainFields(flags), ...restrictionsInput(flags, undefined) }
}

/** Whether the flags change only a part of the restrictions, so that the other part has to be known. */
export function changesPartOfRestrictions(flags: KeyFlags & ClearFlags): boolean {
  return changesClients(flags) !== changesTargets(flags)
}

/**
 * The mask and body of an update: every field that a flag was given for. `current` are the restrictions to keep where
 * only the clients or only the APIs change. Throws a usage error when nothing would change.
 */
export function keyPatch(
  flags: KeyFlags & ClearFlags,
  current: RestrictionsJson | undefined,
): { readonly updateMask: string; readonly body: KeyInput } {
  const body: KeyInput = {
    ...plainFields(flags),
    ...(flags.clearAllowedModels ? { allowedModels: null } : {}),
    ...(flags.clearAllowedTools ? { allowedTools: null } : {}),
    ...(flags.clearEnvironment ? { environment: null } : {}),
    ...(flags.clearExpireTime ? { expireTime: null } : {}),
    ...(flags.clearAnnotations ? { annotations: {} } : {}),
    ...(flags.clearRestrictions ? { restrictions: {} } : restrictionsInput(flags, current)),
  }
  const mask = Object.keys(body)
  if (mask.length === 0)
    throw usageError('No flag says what to change.', 'pollux keys update --help lists them.')
  return { updateMask: mask.join(','), body }
}

function plainFields(flags: KeyFlags): KeyInput {
  const { displayName, allowedModels, allowedTools, environment, annotations } = flags
  const expireTime = flags.expireTime ?? flags.expires
  return {
    ...(displayName === undefined ? {} : { displayName }),
    ...(allowedModels === undefined ? {} : { allowedModels: [...allowedModels] }),
    ...(allowedTools === undefined ? {} : { allowedTools: [...allowedTools] }),
    ...(environment === undefined ? {} : { environment }),
    ...(expireTime === undefined ? {} : { expireTime }),
    ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
  }
}

function changesClients(flags: KeyFlags & ClearFlags): boolean {
  return flags.clearClientRestrictions === true || CLIENT_FLAGS.some(name => flags[name] !== undefined)
}

function changesTargets({ clearApiTargets, apiTarget }: KeyFlags & ClearFlags): boolean {
  return clearApiTargets === true || apiTarget !== undefined
}

function restrictionsInput(
  flags: KeyFlags & ClearFlags,
  current: RestrictionsJson | undefined,
): { restrictions?: RestrictionsJson } {
  if (!changesClients(flags) && !changesTargets(flags)) return {}
  const { apiTargets: currentTargets, ...currentClients } = current ?? {}
  const clients = changesClients(flags) ? clientsInput(flags) : currentClients
  const targets = changesTargets(flags) ? flags.apiTarget?.map(targetInput) : currentTargets
  return { restrictions: { ...clients, ...(targets === undefined ? {} : { apiTargets: targets }) } }
}

function targetInput({ service, methods }: ApiTarget): { service: string; methods?: string[] } {
  return methods === undefined ? { service } : { service, methods: [...methods] }
}

/** Several kinds at once go out as they are: the server's refusal says why only one may be. */
function clientsInput(flags: KeyFlags): RestrictionsJson {
  const { allowedIps, allowedReferrers, allowedApplication, allowedBundleIds } = flags
  return {
    ...(allowedReferrers && { browserKeyRestrictions: { allowedReferrers: [...allowedReferrers] } }),
    ...(allowedIps && { serverKeyRestrictions: { allowedIps: [...allowedIps] } }),
    ...(allowedApplication && { androidKeyRestrictions: { allowedApplications: [...allowedApplication] } }),
    ...(allowedBundleIds && { iosKeyRestrictions: { allowedBundleIds: [...allowedBundleIds] } }),
  }
}
