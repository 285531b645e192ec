import { PATHS } from '../paths.ts'
import { TabLinks } from '../ui/tab-links.tsx'

/** What is spent, and what things cost. */
export function SpendTabs() {
  return (
    <TabLinks
      label="Spend"
      tabs={[
        { to: PATHS.spend, text: 'This month' },
        { to: PATHS.prices, text: 'Prices' },
      ]}
    />
  )
}
