import { Menu, Popover, Separator } from 'react-aria-components'
import type { RefObject } from 'react'
import { useNavigate } from 'react-router'
import { editKeyPath, spendPath, usagePath } from '../paths.ts'
import { Item } from '../ui/menu.tsx'
import { addToast } from '../ui/toast.tsx'
import { useKeyChanges } from './changes.ts'
import type { KeyRow } from './rows.ts'

interface ActionsProps {
  readonly row: KeyRow
  /** Where it opens. */
  readonly button: RefObject<HTMLButtonElement | null>
  readonly onAsk: (asked: 'rename' | 'delete' | 'show') => void
  readonly onError: (error: unknown) => void
  readonly onClose: () => void
}

/** The menu of a key, open. */
export function KeyActions({ button, ...menu }: ActionsProps) {
  return (
    <Popover
      isOpen
      triggerRef={button}
      onOpenChange={isOpen => !isOpen && menu.onClose()}
      placement="bottom end"
      className="popover"
      aria-label={`Actions for ${menu.row.name}`}
    >
      <Actions {...menu} />
    </Popover>
  )
}

/** Deleted keys can only come back. */
function Actions({ row, onAsk, onError, onClose }: Omit<ActionsProps, 'button'>) {
  const navigate = useNavigate()
  const place = { project: row.projectId, key: row.keyId }
  const changes = useKeyChanges(place)
  const attempt = (change: Promise<unknown>): void => void change.then(() => onError(null), onError)
  const switchOff = async (): Promise<void> => {
    await changes.disable()
    addToast({ text: `${row.name} is disabled.`, undo: () => attempt(changes.enable()) })
  }
  const undelete = async (): Promise<void> => {
    await changes.undelete()
    addToast({ text: `${row.name} is back and works again.` })
  }
  const menu = {
    className: 'menu',
    'aria-label': `Actions for ${row.name}`,
    autoFocus: 'first',
    onClose,
  } as const
  if (row.status === 'deleted') {
    return (
      <Menu {...menu}>
        <Item onAction={() => attempt(undelete())}>Undelete</Item>
      </Menu>
    )
  }
  return (
    <Menu {...menu}>
      <Item onAction={() => void navigate(usagePath(place))}>View usage</Item>
      <Item onAction={() => void navigate(spendPath(place))}>View spend</Item>
      <Separator className="menu__rule" />
      {row.isRecoverable && <Item onAction={() => onAsk('show')}>Show key</Item>}
      <Item onAction={() => onAsk('rename')}>Rename</Item>
      <Item onAction={() => void navigate(editKeyPath(place))}>Edit restrictions</Item>
      {row.key.state === 'DISABLED' ? (
        <Item onAction={() => attempt(changes.enable())}>Enable</Item>
      ) : (
        <Item onAction={() => attempt(switchOff())}>Disable</Item>
      )}
      <Separator className="menu__rule" />
      <Item isGrave onAction={() => onAsk('delete')}>
        Delete
      </Item>
    </Menu>
  )
}
