import { Link, useLocation } from 'react-router'
import './ui.css'

interface TabLinksProps {
  readonly label: string
  readonly tabs: readonly { readonly to: string; readonly text: string }[]
}

/** Screens that belong together, each with an address of its own; the one in sight is marked. */
export function TabLinks({ label, tabs }: TabLinksProps) {
  const { pathname } = useLocation()
  return (
    <nav aria-label={label} className="tabs__list tabs__list--screens">
      {tabs.map(({ to, text }) => (
        <Link
          key={to}
          to={to}
          className="tabs__tab"
          {...(pathname === new URL(to, location.origin).pathname ? { 'aria-current': 'page' } : {})}
        >
          {text}
        </Link>
      ))}
    </nav>
  )
}
