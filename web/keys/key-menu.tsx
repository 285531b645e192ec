import { EllipsisVertical } from 'lucide-react'
import { Suspense, lazy, useRef, useState } from 'react'
import { ErrorNotice } from '../ui/notice.tsx'
import type { KeyRow } from './rows.ts'

const loadActions = () => import('./key-actions.tsx')
const KeyActions = lazy(async () => ({ default: (await loadActions()).KeyActions }))
const RenameDialog = lazy(async () => ({ default: (await import('./rename-dialog.tsx')).RenameDialog }))
const DeleteDialog = lazy(async () => ({ default: (await import('./delete-dialog.tsx')).DeleteDialog }))
const ShowDialog = lazy(async () => ({ default: (await import('./show-key-dialog.tsx')).ShowKeyDialog }))

/** Of a menu button (w3.org/WAI/ARIA/apg/patterns/menu-button). */
const OPENING_KEYS: ReadonlySet<string> = new Set(['Enter', ' ', 'ArrowDown'])

type Asked = 'rename' | 'delete' | 'show' | null

/** Whoever comes to the button is about to open the menu. A piece that does not come is reported when it is opened. */
function preload(): void {
  loadActions().catch(() => {})
}

/** First the button shows that it is pressed: the menu is a frame's work of its own where the list is long. */
function afterNextFrame(change: () => void): void {
  requestAnimationFrame(() => setTimeout(change))
}

/** What can be done to a key. The menu comes when it is opened: a list has a button in every row. */
export function KeyMenu({ row }: { readonly row: KeyRow }) {
  const [isOpen, setOpen] = useState(false)
  const [asked, setAsked] = useState<Asked>(null)
  const [error, setError] = useState<unknown>(null)
  const button = useRef<HTMLButtonElement>(null)
  const close = (): void => setAsked(null)
  const open = (): void => afterNextFrame(() => setOpen(true))
  return (
    <>
      <button
        ref={button}
        type="button"
        className="button button--bare button--icon"
        aria-label={`Actions for ${row.name}`}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        onPointerEnter={preload}
        onFocus={preload}
        onClick={open}
        onKeyDown={event => {
          // As a click it would count as a screen reader's, and leave the focus beside the first item.
          if (!OPENING_KEYS.has(event.key)) return
          event.preventDefault()
          open()
        }}
      >
        <EllipsisVertical aria-hidden />
      </button>
      {error !== null && <ErrorNotice title="Nothing was changed" error={error} />}
      <Suspense>
        {isOpen && (
          <KeyActions
            row={row}
            button={button}
            onAsk={setAsked}
            onError={setError}
            onClose={() => setOpen(false)}
          />
        )}
        {asked === 'rename' && <RenameDialog row={row} onClose={close} />}
        {asked === 'show' && <ShowDialog row={row} onClose={close} />}
        {asked === 'delete' && <DeleteDialog row={row} onClose={close} />}
      </Suspense>
    </>
  )
}
