import { EMPTY_DRAFT, type KeyDraft } from './draft.ts'

/** Beginnings for the usual kinds of application. */
export const TEMPLATES: Readonly<
  Record<string, { readonly text: string; readonly draft: Partial<KeyDraft> }>
> = {
  server: {
    text: 'Server: production, from known addresses, capped',
    draft: { environment: 'production', clients: 'addresses', cap: '50.00' },
  },
  browser: {
    text: 'Browser: from known pages, content only, no tools',
    draft: {
      environment: 'production',
      clients: 'referrers',
      methods: ['GenerateContent', 'StreamGenerateContent'],
      tools: [],
      cap: '10.00',
    },
  },
  ci: {
    text: 'CI: short-lived, a dollar a day',
    draft: { environment: 'development', expiry: '30', cap: '1.00', period: 'day', tools: [] },
  },
  agent: {
    text: 'Agent: content and code, capped by the day',
    draft: { environment: 'development', tools: ['codeExecution'], cap: '5.00', period: 'day', expiry: '90' },
  },
}

/** The template alone, for the same project and name: nothing of another one stays. Empty: no template. */
export function withTemplate({ project, name }: KeyDraft, template: string): KeyDraft {
  return { ...EMPTY_DRAFT, project, name, ...TEMPLATES[template]?.draft }
}
