import { type KeyboardEvent, type RefObject, useEffect, useRef } from 'react'
import { Dialog, Heading, Popover } from 'react-aria-components'
import { Link } from 'react-router'
import { ErrorNotice } from '../ui/notice.tsx'
import type { Notice } from './kind.ts'

interface PanelProps {
  /** null: not read yet. */
  readonly notices: readonly Notice[] | null
  readonly errors: readonly Error[]
  readonly isNews: (notice: Notice) => boolean
  /** Where it opens. */
  readonly button: RefObject<HTMLButtonElement | null>
  readonly shortcut: string
  readonly onClose: () => void
}

/** The list of the bell, open. */
export function NoticePanel({ button, shortcut, onClose, ...told }: PanelProps) {
  return (
    <Popover
      isOpen
      triggerRef={button}
      onOpenChange={isOpen => !isOpen && onClose()}
      placement="bottom start"
      className="popover"
    >
      <Dialog className="notices">
        <Heading slot="title" level={2} className="notices__title">
          Things to look at <kbd className="quiet">{shortcut}</kbd>
        </Heading>
        <Told {...told} onClose={onClose} />
      </Dialog>
    </Popover>
  )
}

function Told({ notices, errors, isNews, onClose }: Omit<PanelProps, 'button' | 'shortcut'>) {
  const [error] = errors
  return (
    <>
      {error !== undefined && <ErrorNotice title="Not all could be read: there may be more" error={error} />}
      {notices === null && <div className="waiting" />}
      {notices !== null && notices.length === 0 && error === undefined && (
        <p className="quiet">
          Nothing needs you. Caps that are nearly reached, keys that expire soon or may do everything, models
          without a price and whatever the server lacks appear here.
        </p>
      )}
      {notices !== null && notices.length > 0 && (
        <NoticeList notices={notices} isNews={isNews} onClose={onClose} />
      )}
    </>
  )
}

type ListProps = Pick<PanelProps, 'isNews' | 'onClose'> & { readonly notices: readonly Notice[] }

function NoticeList({ notices, isNews, onClose }: ListProps) {
  const list = useRef<HTMLUListElement>(null)
  useEffect(() => list.current?.querySelector('a')?.focus({ preventScroll: true }), [])
  return (
    <ul ref={list} className="notices__list" onKeyDown={event => move(event, list.current)}>
      {notices.map(notice => (
        <li key={notice.id}>
          <h3 className={`status status--${notice.look}`}>
            <span>
              {notice.title}
              {isNews(notice) && <span className="chip notices__new">new</span>}
            </span>
          </h3>
          <p className="quiet small">{notice.why}</p>
          <Link to={notice.to} className="notices__action" onClick={onClose}>
            {notice.action}
            <span className="unseen">: {notice.title}</span>
          </Link>
        </li>
      ))}
    </ul>
  )
}

const STEPS: Readonly<Record<string, (at: number, count: number) => number>> = {
  ArrowDown: (at, count) => (at + 1) % count,
  ArrowUp: (at, count) => (at - 1 + count) % count,
  Home: () => 0,
  End: (_at, count) => count - 1,
}

/** With the arrow keys from one to the next, as in a menu. */
function move(event: KeyboardEvent, list: HTMLElement | null): void {
  const step = STEPS[event.key]
  const links = [...(list?.querySelectorAll('a') ?? [])]
  if (step === undefined || links.length === 0) return
  event.preventDefault()
  const at = links.findIndex(link => link === document.activeElement)
  links[step(at, links.length)]?.focus()
}
