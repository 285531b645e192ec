import { EllipsisVertical } from 'lucide-react'
import { Suspense, lazy, useState } from 'react'
import { Menu, MenuTrigger, Popover, Separator } from 'react-aria-components'
import { useNavigate } from 'react-router'
import { editKeyPath, spendPath, usagePath } from '../paths.ts'
import { IconButton } from '../ui/button.tsx'
import { Item } from '../ui/menu.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { addToast } from '../ui/toast.tsx'
import type { KeyRow } from './rows.ts'
import { useKeyChanges } from './changes.ts'

const RenameDialog = lazy(async () => ({ default: (await import('./rename-dialog.tsx')).RenameDialog }))
const DeleteDialog = lazy(async () => ({ default: (await import('./delete-dialog.tsx')).DeleteDialog }))
const ShowDialog = lazy(async () => ({ default: (await import('./show-key-dialog.tsx')).ShowKeyDialog }))

type Asked = 'rename' | 'delete' | 'show' | null

/** What can be done to a key. Deleted keys can only come back. */
export function KeyMenu({ row }: { readonly row: KeyRow }) {
  const [asked, setAsked] = useState<Asked>(null)
  const [error, setError] = useState<unknown>(null)
  const navigate = useNavigate()
  const place = { project: row.projectId, key: row.keyId }
  const changes = useKeyChanges(place)
  const attempt = (change: Promise<unknown>): void => void change.then(() => setError(null), setError)
  const close = (): void => setAsked(null)
  const switchOff = async (): Promise<void> => {
    await changes.disable()
    addToast({ text: `${row.name} is disabled.`, undo: () => attempt(changes.enable()) })
  }
  const undelete = async (): Promise<void> => {
    await changes.undelete()
    addToast({ text: `${row.name} is back and works again.` })
  }
  return (
    <>
      <MenuTrigger>
        <IconButton label={`Actions for ${row.name}`}>
          <EllipsisVertical aria-hidden />
        </IconButton>
        <Popover placement="bottom end" className="popover">
          {row.status === 'deleted' ? (
            <Menu className="menu" aria-label={`Actions for ${row.name}`}>
              <Item onAction={() => attempt(undelete())}>Undelete</Item>
            </Menu>
          ) : (
            <Menu className="menu" aria-label={`Actions for ${row.name}`}>
              <Item onAction={() => void navigate(usagePath(place))}>View usage</Item>
              <Item onAction={() => void navigate(spendPath(place))}>View spend</Item>
              <Separator className="menu__rule" />
              {row.isRecoverable && <Item onAction={() => setAsked('show')}>Show key</Item>}
              <Item onAction={() => setAsked('rename')}>Rename</Item>
              <Item onAction={() => void navigate(editKeyPath(place))}>Edit restrictions</Item>
              {row.key.state === 'DISABLED' ? (
                <Item onAction={() => attempt(changes.enable())}>Enable</Item>
              ) : (
                <Item onAction={() => attempt(switchOff())}>Disable</Item>
              )}
              <Separator className="menu__rule" />
              <Item isGrave onAction={() => setAsked('delete')}>
                Delete
              </Item>
            </Menu>
          )}
        </Popover>
      </MenuTrigger>
      {error !== null && <ErrorNotice title="Nothing was changed" error={error} />}
      <Suspense>
        {asked === 'rename' && <RenameDialog row={row} onClose={close} />}
        {asked === 'show' && <ShowDialog row={row} onClose={close} />}
        {asked === 'delete' && <DeleteDialog row={row} onClose={close} />}
      </Suspense>
    </>
  )
}
