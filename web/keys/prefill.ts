/** Create key filled in by its address. */
import { BUDGET_PERIODS, BUDGET_POLICIES } from '../../src/domain/budget.ts'
import { ALLOWED_TOOLS, ENVIRONMENTS } from '../../src/domain/key.ts'
import { CLIENT_KINDS, type ClientKind, EMPTY_DRAFT, type KeyDraft, METHODS } from './draft.ts'
import { TEMPLATES, withTemplate } from './templates.ts'

interface Prefill {
  readonly draft: KeyDraft
  readonly leftOut: readonly LeftOut[]
}

/** A parameter that was not understood. It fills nothing in, so the key would be less restricted than the address says. */
export interface LeftOut {
  readonly name: string
  readonly value: string
  /** What it would have filled in; null: no field of the form. */
  readonly field: keyof KeyDraft | null
}

interface Parameter {
  readonly field: keyof KeyDraft
  /** null: not understood. */
  readonly read: (value: string) => Partial<KeyDraft> | null
}

const DAYS = /^[1-9]\d{0,3}$/
const FIXED_EXPIRIES: readonly string[] = ['never', 'at']

const SOME_TOOLS = someOf('tools', ALLOWED_TOOLS)

const KINDS: readonly string[] = CLIENT_KINDS.filter(kind => kind !== 'any')

/** What is wrong with a text or with an entry of a list is said at its field. */
const PARAMETERS: ReadonlyMap<string, Parameter> = new Map<string, Parameter>([
  ['project', { field: 'project', read: project => ({ project }) }],
  ['name', { field: 'name', read: name => ({ name }) }],
  ['environment', oneOf('environment', ENVIRONMENTS)],
  ...KINDS.map(kind => [kind, clients(kind as ClientKind)] as const),
  ['methods', someOf('methods', METHODS)],
  ['models', { field: 'models', read: text => filled('models', lines(text)) }],
  ['tools', { field: 'tools', read: text => (text === '' ? { tools: [] } : SOME_TOOLS.read(text)) }],
  ...(['rpm', 'tpm', 'rpd', 'cap'] as const).map(
    field => [field, { field, read: (text: string) => filled(field, text) }] as const,
  ),
  ['period', oneOf('period', BUDGET_PERIODS)],
  ['policy', oneOf('policy', BUDGET_POLICIES)],
  [
    'expires',
    {
      field: 'expiry',
      read: expiry =>
        DAYS.test(expiry) || FIXED_EXPIRIES.includes(expiry) ? ({ expiry } as Partial<KeyDraft>) : null,
    },
  ],
])

/** A draft from an address, e.g. `?template=server&project=web-shop&addresses=203.0.113.7&cap=10.00`. */
export function prefillOf(search: URLSearchParams): Prefill {
  const leftOut: LeftOut[] = []
  const template = search.get('template') ?? ''
  let draft = withTemplate(EMPTY_DRAFT, template)
  const kinds = KINDS.filter(kind => search.has(kind)).length
  for (const [name, value] of search) {
    const parameter = PARAMETERS.get(name)
    const isAmbiguous = search.getAll(name).length > 1 || (KINDS.includes(name) && kinds > 1)
    const isTemplate = name === 'template' && Object.hasOwn(TEMPLATES, template)
    const change = isAmbiguous ? null : isTemplate ? {} : (parameter?.read(value) ?? null)
    if (change === null) leftOut.push({ name, value, field: parameter?.field ?? null })
    else draft = { ...draft, ...change }
  }
  return { draft, leftOut }
}

function oneOf(field: keyof KeyDraft, values: readonly string[]): Parameter {
  return { field, read: value => (values.includes(value) ? { [field]: value } : null) }
}

function someOf(field: keyof KeyDraft, values: readonly string[]): Parameter {
  return {
    field,
    read: text => {
      const entries = text.split(',')
      return entries.every(entry => values.includes(entry)) ? { [field]: entries } : null
    },
  }
}

function clients(kind: ClientKind): Parameter {
  return { field: 'clients', read: text => ({ clients: kind, [kind]: lines(text) }) }
}

/** An empty value would be no limit at all. */
function filled(field: keyof KeyDraft, text: string): Partial<KeyDraft> | null {
  return text.trim() === '' ? null : { [field]: text }
}

function lines(text: string): string {
  return text.split(',').join('\n')
}
