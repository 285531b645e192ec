/** The first call with a new key: one that its own rules let in. */
import { compileModels, isModelId, modelOutputs } from '../../src/domain/model.ts'
import { type KeyDraft, linesOf } from './draft.ts'

export interface FirstCall {
  readonly model: string
  readonly method: 'generateContent' | 'embedContent'
}

/** Serves every project; called where the key may call it. */
const USUAL_MODEL = 'gemini-3.8-flash'

const EMBEDS = /(?<![a-z])embedding(?![a-z])/i

/**
 * A call that the key's models and methods allow, of a model that it names or else of one that has a price; text before
 * embeddings, embeddings before pictures and sound. null: there is none that costs little and shows something.
 */
export function firstCallOf(
  { models, methods }: Pick<KeyDraft, 'models' | 'methods'>,
  priced: readonly string[],
): FirstCall | null {
  const patterns = linesOf(models).map(pattern => pattern.replace(/^models\//, ''))
  const isAllowed = patterns.length === 0 ? () => true : compileModels(patterns)
  const known = [...patterns.filter(isModelId), USUAL_MODEL, ...priced].filter(isAllowed)
  const may = (method: string): boolean => methods.length === 0 || methods.includes(method)
  const first = (test: (model: string) => boolean, method: FirstCall['method']): FirstCall | null => {
    const model = known.find(test)
    return model === undefined ? null : { model, method }
  }
  const { generates, embeds } = { generates: may('GenerateContent'), embeds: may('EmbedContent') }
  return (
    (generates ? first(isText, 'generateContent') : null) ??
    (embeds ? first(isEmbedding, 'embedContent') : null) ??
    (generates ? first(model => !isEmbedding(model), 'generateContent') : null)
  )
}

function isEmbedding(model: string): boolean {
  return EMBEDS.test(model)
}

function isText(model: string): boolean {
  const { image, audio } = modelOutputs(model)
  return !image && !audio && !isEmbedding(model)
}
