import { Bell } from 'lucide-react'
import { Suspense, lazy, useEffect, useRef, useState } from 'react'
import type { Notice } from './kind.ts'
import { isNew, see, seenBy } from './seen.ts'
import { useNotices } from './use-notices.ts'
import './notices.css'

const loadPanel = () => import('./notice-panel.tsx')
const NoticePanel = lazy(async () => ({ default: (await loadPanel()).NoticePanel }))

/** No letter, which somebody could be typing. */
const SHORTCUT = 'F8'
const SHOWN_MAX = 99

/** Whoever comes to the button is about to open it. A piece that does not come is reported when it is opened. */
function preload(): void {
  loadPanel().catch(() => {})
}

/** How many things there are to look at, and the list of them. What was in the list when it closed is not new any more. */
export function NoticeBell({ person }: { readonly person: string }) {
  const { notices, errors } = useNotices()
  const [seen, setSeen] = useState(() => seenBy(person))
  const [isOpen, setOpen] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  const news = useNews(notices)
  const isNews = (notice: Notice): boolean => isNew(notice, seen)
  const count = notices?.length ?? 0
  const newCount = notices?.filter(isNews).length ?? 0
  const close = (): void => {
    setOpen(false)
    if (notices !== null) setSeen(see(person, notices))
  }
  useShortcut(isOpen ? close : () => setOpen(true))
  return (
    <>
      <button
        ref={button}
        type="button"
        className="button button--bare button--icon bell"
        aria-label={labelOf(count, newCount)}
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        aria-keyshortcuts={SHORTCUT}
        onPointerEnter={preload}
        onFocus={preload}
        onClick={() => setOpen(true)}
      >
        <Bell aria-hidden />
        {count > 0 && (
          <span aria-hidden className={newCount > 0 ? 'bell__count bell__count--new' : 'bell__count'}>
            {count > SHOWN_MAX ? `${SHOWN_MAX}+` : count}
          </span>
        )}
      </button>
      <span role="status" className="unseen">
        {news}
      </span>
      <Suspense>
        {isOpen && (
          <NoticePanel {...{ notices, errors, isNews, button, shortcut: SHORTCUT }} onClose={close} />
        )}
      </Suspense>
    </>
  )
}

function labelOf(count: number, newCount: number): string {
  if (count === 0) return 'Notifications: none'
  return `Notifications: ${count}${newCount === 0 ? '' : `, ${newCount} new`}`
}

/** What came up while somebody is here. What there was before is on the bell, and interrupts nobody. */
function useNews(notices: readonly Notice[] | null): string {
  const known = useRef<ReadonlySet<string> | null>(null)
  const [news, setNews] = useState('')
  useEffect(() => {
    if (notices === null) return
    const before = known.current
    known.current = new Set(notices.map(({ id }) => id))
    const fresh = before === null ? [] : notices.filter(({ id }) => !before.has(id))
    const [first] = fresh
    if (first === undefined) return
    setNews(fresh.length === 1 ? `To look at: ${first.title}` : `${fresh.length} new things to look at`)
  }, [notices])
  return news
}

/** Not over a dialog, which has to be answered first. */
function useShortcut(act: () => void): void {
  useEffect(() => {
    const hear = (event: KeyboardEvent): void => {
      if (event.key !== SHORTCUT || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return
      if (document.querySelector('.veil') !== null) return
      event.preventDefault()
      act()
    }
    addEventListener('keydown', hear)
    return () => removeEventListener('keydown', hear)
  }, [act])
}
