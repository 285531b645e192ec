import { type JsonObject, asObject, listOf } from '../domain/proto-json.ts'
import type { Grant } from './call.ts'

/**
 * A models.list reply without the models that the key may not call; null where nothing has to change. Pages may come
 * out shorter than asked for, which AIP-158 allows.
 */
export function filterModels(reply: JsonObject, { method, caller: { entry } }: Grant): Buffer | null {
  if (method.name !== 'ListModels' || entry.key.allowedModels === null) return null
  const { rules, consumer } = entry
  const models = listOf(reply['models']).filter(model => {
    const name = asObject(model)?.['name']
    return typeof name === 'string' && !rules.model?.(name.replace(/^models\//, ''), consumer)
  })
  return Buffer.from(JSON.stringify({ ...reply, models }))
}
