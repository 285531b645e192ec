/** What a tier allows its projects' calls, beside their rates. */
import { GEMINI_SERVICE } from './method-name.ts'
import type { Tier } from './quota.ts'
import { type CompiledRestrictions, compileRestrictions } from './restriction.ts'

/** The rules of a tier as those of a key; null where it allows everything. */
export function compileTier({
  allowedModels,
  allowedMethods,
  allowedTools,
}: Pick<Tier, 'allowedModels' | 'allowedMethods' | 'allowedTools'>): CompiledRestrictions | null {
  if (allowedModels === null && allowedMethods === null && allowedTools === null) return null
  const restrictions =
    allowedMethods === null ? null : { apiTargets: [{ service: GEMINI_SERVICE, methods: allowedMethods }] }
  return compileRestrictions(restrictions, { models: allowedModels, tools: allowedTools })
}
