/** Create key filled in by its address. */
import { BUDGET_PERIODS, BUDGET_POLICIES } from '../../src/domain/budget.ts'
import { ALLOWED_TOOLS, ENVIRONMENTS } from '../../src/domain/key.ts'
import { CLIENT_KINDS, EMPTY_DRAFT, EXPIRIES, type KeyDraft } from './draft.ts'
import { withTemplate } from './templates.ts'

/** A draft from an address, e.g. `?template=server&project=web-shop&addresses=203.0.113.7&cap=10.00`. */
export function draftFrom(search: URLSearchParams): KeyDraft {
  const list = (name: string): string | undefined => search.get(name)?.split(',').join('\n')
  const one = <Value extends string>(name: string, values: readonly Value[]): Value | undefined =>
    values.find(value => value === search.get(name))
  const tools = search.get('tools')
  const kind = CLIENT_KINDS.find(kind => kind !== 'any' && search.has(kind))
  const given: { readonly [Name in keyof KeyDraft]?: KeyDraft[Name] | undefined } = {
    project: search.get('project') ?? undefined,
    name: search.get('name') ?? undefined,
    environment: one('environment', ENVIRONMENTS),
    clients: kind,
    ...(kind === undefined ? {} : { [kind]: list(kind) }),
    methods: search.get('methods')?.split(','),
    models: list('models'),
    tools: tools === null ? undefined : ALLOWED_TOOLS.filter(tool => tools.split(',').includes(tool)),
    rpm: search.get('rpm') ?? undefined,
    tpm: search.get('tpm') ?? undefined,
    rpd: search.get('rpd') ?? undefined,
    cap: search.get('cap') ?? undefined,
    period: one('period', BUDGET_PERIODS),
    policy: one('policy', BUDGET_POLICIES),
    expiry: one('expires', EXPIRIES),
  }
  const chosen = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return { ...withTemplate(EMPTY_DRAFT, search.get('template') ?? ''), ...chosen }
}
