import { PATHS } from '../paths.ts'
import { TabLinks } from '../ui/tab-links.tsx'

/** The two sides of limits: what a project has, and the named sets it can be given. */
export function LimitTabs() {
  return (
    <TabLinks
      label="Limits"
      tabs={[
        { to: PATHS.limits, text: 'Projects' },
        { to: PATHS.tiers, text: 'Tiers' },
      ]}
    />
  )
}
