import { invalidField } from './error.ts'
import { isModelId } from './model.ts'
import type { ApiVersion, ModelAlias } from './project.ts'

const ALIASES_MAX = 100

/** An alias as a request writes it. */
interface AliasInput {
  readonly model: string
  readonly apiVersion?: ApiVersion | undefined
}

/**
 * The aliases of a project. Throws FIELD_INVALID when an alias or its model is no model id, when there are more than 100,
 * or when an alias leads to an alias: one look-up resolves a name, and none can go in a circle.
 */
export function parseModelAliases(
  aliases: Readonly<Record<string, AliasInput>>,
): Readonly<Record<string, ModelAlias>> {
  const entries = Object.entries(aliases)
  if (entries.length > ALIASES_MAX)
    throw invalidField('project.modelAliases', `at most ${ALIASES_MAX} aliases`)
  return Object.fromEntries(
    entries.map(([alias, { model: target, apiVersion }]) => {
      const model = target.startsWith('models/') ? target.slice('models/'.length) : target
      if (!isModelId(alias) || !isModelId(model)) {
        throw invalidField(
          'project.modelAliases',
          "aliases and models are at most 128 letters, digits, '.', '_' and '-', with a letter or digit first",
        )
      }
      if (Object.hasOwn(aliases, model)) {
        throw invalidField('project.modelAliases', 'an alias must lead to a model, not to an alias')
      }
      return [alias, apiVersion === undefined ? { model } : { model, apiVersion }]
    }),
  )
}
