import type { ReactNode } from 'react'
import { PATHS } from '../paths.ts'
import { Page } from '../ui/page.tsx'
import { TabLinks } from '../ui/tab-links.tsx'
import '../keys/form.css'
import './audit.css'

const TABS = [
  { to: PATHS.audit, text: 'Entries' },
  { to: PATHS.findInAudit, text: 'Find by key' },
  { to: PATHS.verifyAudit, text: 'Verify' },
] as const

interface FrameProps {
  readonly title: string
  readonly about: ReactNode
  readonly actions?: ReactNode
  readonly children: ReactNode
}

export function AuditFrame({ children, ...head }: FrameProps) {
  return (
    <Page {...head}>
      <TabLinks label="Audit" tabs={TABS} />
      {children}
    </Page>
  )
}
