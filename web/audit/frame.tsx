import { PATHS } from '../paths.ts'
import { Page, type PageProps } from '../ui/page.tsx'
import { TabLinks } from '../ui/tab-links.tsx'
import '../keys/form.css'
import './audit.css'

const TABS = [
  { to: PATHS.audit, text: 'Entries' },
  { to: PATHS.findInAudit, text: 'Find by key' },
  { to: PATHS.verifyAudit, text: 'Verify' },
] as const

/** What was done, by whom, and the proof that nothing is missing. */
export function AuditFrame(page: PageProps) {
  return <Page {...page} tabs={<TabLinks label="Audit" tabs={TABS} />} />
}
