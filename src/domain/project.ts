/** The Project resource (google.cloud.resourcemanager.v3.Project): tenant, quota and billing boundary. */
import { invalidField } from './error.ts'

/** The project every fresh Pollux starts with. */
export const DEFAULT_PROJECT_ID = 'default-project'

/** The one organization of a Pollux, parent of all its projects. */
export const ORGANIZATION = 'organizations/1'

export interface Project {
  /** Decimal digits, as in `projects/415104041262`; never reused. */
  readonly number: string
  readonly projectId: string
  readonly displayName: string
  readonly parent: string
  readonly labels: Readonly<Record<string, string>>
  readonly etag: string
  readonly createTimeMs: number
  readonly updateTimeMs: number
  readonly deleteTimeMs: number | null
  /** Other names for models: alias -> target. */
  readonly modelAliases: Readonly<Record<string, ModelAlias>>
  /** The id of its tier; null: none, and no rate limits but its own. */
  readonly tier: string | null
  /** Whether the keyStrings of keys made from now on are sealed and kept, so that they can be read again. */
  readonly recoverableKeys: boolean
  /** For how many hours the bodies of its calls are kept; null: they are not. */
  readonly bodyRetentionHours: number | null
}

/** Where an alias leads: a model id, and an API version if the target is not served under the one that was asked. */
export interface ModelAlias {
  readonly model: string
  readonly apiVersion?: ApiVersion
}

export const API_VERSIONS = ['v1', 'v1beta', 'v1alpha'] as const
export type ApiVersion = (typeof API_VERSIONS)[number]

/**
 * The aliases that new projects start with: model ids of older guides, whose models are shut down, led to the models
 * that Google keeps current under the `-latest` names (served under v1beta only: gemini-wire 1.4).
 */
export const DEFAULT_MODEL_ALIASES: Readonly<Record<string, ModelAlias>> = {
  'gemini-pro': { model: 'gemini-pro-latest', apiVersion: 'v1beta' },
  'gemini-1.5-pro': { model: 'gemini-pro-latest', apiVersion: 'v1beta' },
  'gemini-1.5-flash': { model: 'gemini-flash-latest', apiVersion: 'v1beta' },
  'gemini-2.0-flash': { model: 'gemini-flash-latest', apiVersion: 'v1beta' },
}

const PROJECT_ID = /^[a-z][a-z0-9-]{4,28}[a-z0-9]$/
const DISPLAY_NAME = /^[A-Za-z0-9\-'" !]{4,30}$/
const LABEL_KEY = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/
const LABEL_VALUE = /^([a-z0-9]([-a-z0-9_]{0,61}[a-z0-9])?)?$/
const LABELS_MAX = 64

/** Throws FIELD_INVALID unless `id` may name a project (resourcemanager v3: 6 to 30 characters, immutable). */
export function assertProjectId(id: string): void {
  if (!PROJECT_ID.test(id)) {
    throw invalidField(
      'project.projectId',
      'use 6 to 30 lower-case letters, digits and hyphens; start with a letter, do not end with a hyphen',
    )
  }
}

/** Throws FIELD_INVALID unless `name` is empty or may be a project's display name (resourcemanager v3). */
export function assertProjectDisplayName(name: string): void {
  if (name !== '' && !DISPLAY_NAME.test(name)) {
    throw invalidField(
      'project.displayName',
      'use 4 to 30 letters, digits, hyphens, quotes, spaces and exclamation points',
    )
  }
}

/** Throws FIELD_INVALID unless every label is valid (resourcemanager v3: at most 64, 63 characters each). */
export function assertLabels(labels: Readonly<Record<string, string>>): void {
  const entries = Object.entries(labels)
  if (entries.length > LABELS_MAX) throw invalidField('project.labels', `at most ${LABELS_MAX} labels`)
  for (const [key, value] of entries) {
    if (!LABEL_KEY.test(key) || !LABEL_VALUE.test(value)) {
      throw invalidField(
        'project.labels',
        'keys and values are at most 63 lower-case letters, digits, hyphens',
      )
    }
  }
}
