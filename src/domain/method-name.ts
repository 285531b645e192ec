import type { ApiVersion } from './project.ts'

/** The service under which every data-plane method is called and restricted. */
export const GEMINI_SERVICE = 'generativelanguage.googleapis.com'

const MODEL_SERVICE_METHODS: ReadonlySet<string> = new Set(['GetModel', 'ListModels'])

/**
 * The fully qualified name of a data-plane method, as restrictions and errors name it:
 * `google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent` (googleapis *_service.proto).
 */
export function methodFullName(apiVersion: ApiVersion, method: string): string {
  const service = MODEL_SERVICE_METHODS.has(method) ? 'ModelService' : 'GenerativeService'
  return `google.ai.generativelanguage.${apiVersion}.${service}.${method}`
}
