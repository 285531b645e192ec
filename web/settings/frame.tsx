import type { ReactNode } from 'react'
import { PATHS } from '../paths.ts'
import { Page } from '../ui/page.tsx'
import { TabLinks } from '../ui/tab-links.tsx'
import '../keys/key-screen.css'
import '../keys/form.css'
import '../members/members.css'

const TABS = [
  { to: PATHS.settings, text: 'My account' },
  { to: PATHS.serverSettings, text: 'This Pollux' },
] as const

interface FrameProps {
  readonly title: string
  readonly about: ReactNode
  readonly children: ReactNode
}

export function SettingsFrame({ children, ...head }: FrameProps) {
  return (
    <Page {...head}>
      <TabLinks label="Settings" tabs={TABS} />
      {children}
    </Page>
  )
}
