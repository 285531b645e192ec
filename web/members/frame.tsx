import type { ReactNode } from 'react'
import { PATHS } from '../paths.ts'
import { Page } from '../ui/page.tsx'
import { TabLinks } from '../ui/tab-links.tsx'
import './members.css'

const TABS = [
  { to: PATHS.members, text: 'People' },
  { to: PATHS.serviceAccounts, text: 'Service accounts' },
  { to: PATHS.roles, text: 'Roles' },
] as const

interface FrameProps {
  readonly title: string
  readonly about: ReactNode
  readonly actions?: ReactNode
  readonly children: ReactNode
}

/** The three lists about access. */
export function MembersFrame({ children, ...head }: FrameProps) {
  return (
    <Page {...head}>
      <TabLinks label="Members" tabs={TABS} />
      {children}
    </Page>
  )
}
