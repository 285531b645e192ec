import { useQuery } from '@tanstack/react-query'
import {
  ChartColumn,
  Coins,
  FolderClosed,
  Gauge,
  History,
  KeyRound,
  LogOut,
  Moon,
  ScrollText,
  Settings,
  ShieldCheck,
  Sun,
  SunMoon,
  Users,
} from 'lucide-react'
import { Suspense, lazy, useEffect, useRef, useSyncExternalStore } from 'react'
import { Link, Outlet, useLocation } from 'react-router'
import { PATHS, keysPath } from '../paths.ts'
import { serverQuery } from '../queries.ts'
import { type Who, signOut } from '../session.ts'
import { THEMES, chooseTheme, currentTheme, onTheme } from '../theme/theme.ts'
import { IconButton } from '../ui/button.tsx'
import { Mark } from '../ui/star.tsx'
import { SHOWN_ZONE } from '../ui/times.ts'
import { addToast } from '../ui/toast.tsx'
import { PaletteButton } from './palette-button.tsx'
import { ProjectSwitcher } from './project-switcher.tsx'
import './shell.css'

// In a piece of its own: the first screen waits for none of it.
const Banners = lazy(async () => ({ default: (await import('./banners.tsx')).Banners }))

// As the banners.
const NoticeBell = lazy(async () => ({ default: (await import('../notices/notice-bell.tsx')).NoticeBell }))

/** The rail's entries, in the order of AI Studio's. A screen that is not built has none. `isHere`: its addresses. */
const ENTRIES = [
  { to: PATHS.keys, text: 'API keys', Icon: KeyRound, isHere: /\/keys(?:\/|$)/ },
  { to: PATHS.projects, text: 'Projects', Icon: FolderClosed, isHere: /^\/projects(?!.*\/keys)/ },
  { to: PATHS.usage, text: 'Usage', Icon: ChartColumn, isHere: /^\/usage/ },
  { to: PATHS.spend, text: 'Spend', Icon: Coins, isHere: /^\/spend/ },
  { to: PATHS.limits, text: 'Limits', Icon: Gauge, isHere: /^\/limits/ },
  { to: PATHS.calls, text: 'Calls', Icon: ScrollText, isHere: /^\/calls/ },
  { to: PATHS.security, text: 'Security', Icon: ShieldCheck, isHere: /^\/security/ },
  { to: PATHS.members, text: 'Members', Icon: Users, isHere: /^\/members/ },
  { to: PATHS.audit, text: 'Audit', Icon: History, isHere: /^\/audit/ },
  { to: PATHS.settings, text: 'Settings', Icon: Settings, isHere: /^\/settings/ },
] as const

const SCREENS = ENTRIES.map(({ to, text }) => ({ to, text, more: '', kind: 'Screen' as const }))

/** The frame of every screen: the rail with where one can go, and where one is. */
export function Shell({ who }: { readonly who: Who }) {
  const { pathname } = useLocation()
  const main = useFocusOnNewScreen(pathname)
  return (
    <div className="shell">
      <a className="shell__skip" href="#main">
        Skip to the content
      </a>
      <header className="rail">
        <div className="rail__top">
          <Link to={keysPath()} className="rail__home">
            <Mark />
            Pollux
          </Link>
          <Suspense>
            <NoticeBell key={who.subject} person={who.subject} />
          </Suspense>
        </div>
        <ProjectSwitcher />
        <PaletteButton screens={SCREENS} />
        <nav aria-label="Screens">
          <ul>
            {ENTRIES.map(({ to, text, Icon, isHere }) => (
              <li key={to}>
                <Link
                  to={to}
                  className="rail__entry"
                  {...(isHere.test(pathname) ? { 'aria-current': 'page' } : {})}
                >
                  <Icon aria-hidden />
                  {text}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <Foot who={who} />
      </header>
      <main id="main" ref={main} className="shell__main" tabIndex={-1}>
        <Suspense>
          <Banners />
        </Suspense>
        <Suspense fallback={<div className="waiting" />}>
          <Outlet />
        </Suspense>
      </main>
    </div>
  )
}

/** Where calls go, and the few things that are about the person and not the organization. */
function Foot({ who }: { readonly who: Who }) {
  const { data: server } = useQuery(serverQuery)
  return (
    <div className="rail__foot">
      {server !== undefined && (
        <p className={`rail__upstream rail__upstream--${server.upstream.toLowerCase()}`}>
          {server.demo
            ? 'Demo on the sandbox'
            : server.upstream === 'SANDBOX'
              ? 'Sandbox upstream'
              : 'Forwards to Gemini'}
          <span className="rail__facts">
            Pollux {server.version} · {SHOWN_ZONE} · USD
          </span>
        </p>
      )}
      <div className="rail__tools">
        <Person who={who} />
        <ThemeButton />
        <IconButton
          label="Sign out"
          onPress={() => {
            signOut().catch((error: unknown) => addToast({ text: `Still signed in. ${String(error)}` }))
          }}
        >
          <LogOut aria-hidden />
        </IconButton>
      </div>
    </div>
  )
}

/** A person by name and address; the bearer of a token by the token's. */
function Person({ who: { subject, user } }: { readonly who: Who }) {
  const [name, more] =
    user === undefined
      ? ['Management token', subject]
      : [user.displayName, user.displayName === user.email ? '' : user.email]
  return (
    <p className="rail__person" title={more === '' ? name : `${name}, ${more}`}>
      <span className="rail__name">{name}</span>
      {more !== '' && <span className="rail__facts">{more}</span>}
    </p>
  )
}

const THEME_ICONS = { system: SunMoon, light: Sun, dark: Moon } as const

function ThemeButton() {
  const theme = useSyncExternalStore(onTheme, currentTheme)
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system'
  const Icon = THEME_ICONS[theme]
  return (
    <IconButton label={`Theme: ${theme}. Change to ${next}`} onPress={() => chooseTheme(next)}>
      <Icon aria-hidden />
    </IconButton>
  )
}

/** A new screen is announced by its heading, which takes the focus: a page load would have done the same. */
function useFocusOnNewScreen(pathname: string) {
  const main = useRef<HTMLElement>(null)
  const isFirst = useRef(true)
  useEffect(() => {
    if (isFirst.current) {
      isFirst.current = false
      return
    }
    window.scrollTo(0, 0)
    const target = main.current?.querySelector<HTMLElement>('h1') ?? main.current
    target?.focus({ preventScroll: true })
  }, [pathname])
  return main
}
