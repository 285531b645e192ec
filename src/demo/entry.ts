import { type AuditEntry, systemEntry } from '../domain/audit.ts'

/** What is written of a change that the demo makes: by whom it would have been. */
export function demoEntry(who: string, what: Parameters<typeof systemEntry>[0]): AuditEntry {
  return { ...systemEntry(what), principal: who, userAgent: 'pollux start --demo' }
}

export const OWNER_EMAIL = 'ada@example.com'
export const OWNER = `user:${OWNER_EMAIL}`
export const EDITOR = 'user:grace@example.com'
export const BILLING = 'user:emmy@example.com'
