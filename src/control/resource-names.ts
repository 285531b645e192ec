/** Resources as the wire has them. Names carry the project number, whatever the request was made with. */
import type { ResponseOf } from '../contract/endpoint.ts'
import type { APIKEYS_V2 } from '../contract/apikeys.v2.ts'
import type { POLLUX_V1 } from '../contract/pollux.v1.ts'
import type { PROJECTS_V3 } from '../contract/projects.v3.ts'
import { type Key, keyState } from '../domain/key.ts'
import type { Project } from '../domain/project.ts'

export type KeyV2Json = ResponseOf<typeof APIKEYS_V2.getKey>
export type KeyJson = ResponseOf<typeof POLLUX_V1.getKey>
export type ProjectV3Json = ResponseOf<typeof PROJECTS_V3.getProject>
export type ProjectJson = ResponseOf<typeof POLLUX_V1.getProject>

/** `projects/415104041262` */
export function projectName(projectNumber: string): string {
  return `projects/${projectNumber}`
}

/** `projects/415104041262/locations/global`: where keys live; `global` is the only location. */
export function keyParent(projectNumber: string): string {
  return `${projectName(projectNumber)}/locations/global`
}

/** `projects/415104041262/locations/global/keys/web` */
export function keyName({ projectNumber, keyId }: Pick<Key, 'projectNumber' | 'keyId'>): string {
  return `${keyParent(projectNumber)}/keys/${keyId}`
}

/** RFC 3339 in UTC. */
export function timeJson(timeMs: number): string {
  return new Date(timeMs).toISOString()
}

/** google.api.apikeys.v2.Key; unset fields are absent. */
export function keyV2Json(key: Key): KeyV2Json {
  return {
    name: keyName(key),
    uid: key.uid,
    createTime: timeJson(key.createTimeMs),
    updateTime: timeJson(key.updateTimeMs),
    etag: key.etag,
    ...optionalTime('deleteTime', key.deleteTimeMs),
    ...(key.displayName === '' ? {} : { displayName: key.displayName }),
    ...(Object.keys(key.annotations).length === 0 ? {} : { annotations: { ...key.annotations } }),
    // Only ever read by the serializer, so the lists may stay the stored ones.
    ...(key.restrictions === null ? {} : { restrictions: key.restrictions as KeyV2Json['restrictions'] }),
  }
}

/** The Key of /pollux/v1 as it is at `nowMs`. */
export function keyJson(key: Key, nowMs: number): KeyJson {
  return {
    ...keyV2Json(key),
    state: keyState(key, nowMs),
    maskedKeyString: key.maskedKeyString,
    ...optionalTime('disabledTime', key.disabledTimeMs),
    ...optionalTime('expireTime', key.expireTimeMs),
    ...optionalTime('lastUsedTime', key.lastUsedTimeMs),
    ...(key.allowedModels === null ? {} : { allowedModels: [...key.allowedModels] }),
    ...(key.allowedTools === null ? {} : { allowedTools: [...key.allowedTools] }),
    ...(key.environment === null ? {} : { environment: key.environment }),
  }
}

/** google.cloud.resourcemanager.v3.Project. */
export function projectV3Json(project: Project): ProjectV3Json {
  return {
    name: projectName(project.number),
    parent: project.parent,
    projectId: project.projectId,
    state: project.deleteTimeMs === null ? 'ACTIVE' : 'DELETE_REQUESTED',
    createTime: timeJson(project.createTimeMs),
    updateTime: timeJson(project.updateTimeMs),
    etag: project.etag,
    ...optionalTime('deleteTime', project.deleteTimeMs),
    ...(project.displayName === '' ? {} : { displayName: project.displayName }),
    ...(Object.keys(project.labels).length === 0 ? {} : { labels: { ...project.labels } }),
  }
}

/** The Project of /pollux/v1. */
export function projectJson(project: Project): ProjectJson {
  const { modelAliases, tier, recoverableKeys } = project
  return {
    ...projectV3Json(project),
    ...(Object.keys(modelAliases).length === 0 ? {} : { modelAliases: { ...modelAliases } }),
    ...(tier === null ? {} : { tier }),
    ...(recoverableKeys ? { recoverableKeys } : {}),
  }
}

function optionalTime<Name extends string>(name: Name, timeMs: number | null): { [N in Name]?: string } {
  return timeMs === null ? {} : ({ [name]: timeJson(timeMs) } as { [N in Name]?: string })
}
