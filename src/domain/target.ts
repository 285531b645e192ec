/** Which methods a key may call: google.api.apikeys.v2.ApiTarget against the method of a call. */
import type { ApiTarget } from './key.ts'

/** The method of a call in every form that a target can name it by. */
export interface MethodName {
  /** For example `generativelanguage.googleapis.com`. */
  readonly service: string
  /** For example `google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent`. */
  readonly fullName: string
  /** For example `POST`. */
  readonly httpMethod: string
}

/** A method in lower case: full name, last segment of it, HTTP verb. */
interface LowerCaseMethod {
  readonly full: string
  readonly bare: string
  readonly verb: string
}

type MethodTest = (method: LowerCaseMethod) => boolean

const VERBS: ReadonlySet<string> = new Set(['get', 'head', 'post', 'put', 'patch', 'delete'])

/** Verbs that also begin RPC names (AIP-131, AIP-135): `Get*` must not mean every read. */
const RPC_PREFIXES: ReadonlySet<string> = new Set(['get', 'delete'])

const never: MethodTest = () => false

/** Tests one of a method's names against a text that may end in `*`; a `*` before the end matches nothing. */
function compileName(pattern: string, name: 'full' | 'bare'): MethodTest {
  const prefix = pattern.endsWith('*') ? pattern.slice(0, -1) : null
  if ((prefix ?? pattern).includes('*')) return never
  return prefix === null ? method => method[name] === pattern : method => method[name].startsWith(prefix)
}

/** `pattern` is without the service in front and has no dot: `Method`, `Prefix*` or `VERB*`. */
function compileBare(pattern: string): MethodTest {
  const lower = pattern.toLowerCase()
  const named = compileName(lower, 'bare')
  const verb = lower.slice(0, -1)
  const isVerb =
    lower.endsWith('*') &&
    VERBS.has(verb) &&
    (!RPC_PREFIXES.has(verb) || pattern.slice(0, -1) === verb.toUpperCase())
  return isVerb ? method => method.verb === verb || named(method) : named
}

function compileMethod(pattern: string, service: string): MethodTest {
  if (pattern.toLowerCase().startsWith(`${service}.`)) return compileBare(pattern.slice(service.length + 1))
  return pattern.includes('.') ? compileName(pattern.toLowerCase(), 'full') : compileBare(pattern)
}

/**
 * A test whether any target allows a method; no targets allow every method, a target without methods every method of its
 * service. Everything compares without regard to case, and `*` counts as the last symbol only. Spellings
 * (google/api/apikeys/v2/resources.proto):
 *
 * - `google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent`: this method in this version only, as the
 *   version is part of the name; with `*` at the end every full name that begins so (`….v1*` holds v1beta, `….v1.*` not).
 * - `GenerateContent`, `Generate*`: by the last segment, in every version.
 * - `generativelanguage.googleapis.com.Generate*`: the same with the service in front.
 * - `POST*`: by HTTP verb. `Get*` and `Delete*` are prefixes of method names; the verbs are `GET*` and `DELETE*`.
 */
export function compileTargets(targets: readonly ApiTarget[]): (method: MethodName) => boolean {
  if (targets.length === 0) return () => true
  const services = new Map<string, MethodTest[]>()
  for (const target of targets) {
    const service = target.service.toLowerCase()
    const methods = target.methods ?? []
    const tests = methods.length === 0 ? [() => true] : methods.map(method => compileMethod(method, service))
    services.set(service, [...(services.get(service) ?? []), ...tests])
  }
  return method => {
    const tests = services.get(method.service.toLowerCase())
    if (tests === undefined) return false
    const full = method.fullName.toLowerCase()
    const bare = full.slice(full.lastIndexOf('.') + 1)
    const names: LowerCaseMethod = { full, bare, verb: method.httpMethod.toLowerCase() }
    for (const test of tests) if (test(names)) return true
    return false
  }
}
