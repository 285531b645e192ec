import { PATHS } from '../paths.ts'
import { Page, type PageProps } from '../ui/page.tsx'
import { TabLinks } from '../ui/tab-links.tsx'
import './members.css'

const TABS = [
  { to: PATHS.members, text: 'People' },
  { to: PATHS.serviceAccounts, text: 'Service accounts' },
  { to: PATHS.roles, text: 'Roles' },
] as const

/** The three lists about access. */
export function MembersFrame(page: PageProps) {
  return <Page {...page} tabs={<TabLinks label="Members" tabs={TABS} />} />
}
