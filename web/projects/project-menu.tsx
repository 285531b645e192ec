import { EllipsisVertical } from 'lucide-react'
import { Suspense, lazy, useState } from 'react'
import { Menu, MenuTrigger, Popover, Separator } from 'react-aria-components'
import { useNavigate } from 'react-router'
import { keysPath, limitsPath, newKeyPath, projectPath, spendPath, usagePath } from '../paths.ts'
import { IconButton } from '../ui/button.tsx'
import { Item } from '../ui/menu.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { addToast } from '../ui/toast.tsx'
import { useProjectChanges } from './changes.ts'
import type { ProjectRow } from './rows.ts'

const RenameDialog = lazy(async () => ({
  default: (await import('./rename-project-dialog.tsx')).RenameProjectDialog,
}))
const DeleteDialog = lazy(async () => ({
  default: (await import('./delete-project-dialog.tsx')).DeleteProjectDialog,
}))

/** What can be done to a project. Deleted ones can only come back. */
export function ProjectMenu({ row }: { readonly row: ProjectRow }) {
  const { projectId: project, name } = row
  const [asked, setAsked] = useState<'rename' | 'delete' | null>(null)
  const [error, setError] = useState<unknown>(null)
  const navigate = useNavigate()
  const changes = useProjectChanges(project)
  const close = (): void => setAsked(null)
  const go = (path: string) => (): void => void navigate(path)
  const restore = async (): Promise<void> => {
    await changes.undelete()
    addToast({ text: `${name} is back, and its keys work again.` })
  }
  return (
    <>
      <MenuTrigger>
        <IconButton label={`Actions for ${name}`}>
          <EllipsisVertical aria-hidden />
        </IconButton>
        <Popover placement="bottom end" className="popover">
          {row.isDeleted ? (
            <Menu className="menu" aria-label={`Actions for ${name}`}>
              <Item onAction={() => void restore().then(() => setError(null), setError)}>Restore</Item>
            </Menu>
          ) : (
            <Menu className="menu" aria-label={`Actions for ${name}`}>
              <Item onAction={go(keysPath({ project }))}>View keys</Item>
              <Item onAction={go(usagePath({ project }))}>View usage</Item>
              <Item onAction={go(spendPath({ project, key: null }))}>View spend</Item>
              <Item onAction={go(limitsPath(project))}>Limits</Item>
              <Item onAction={go(newKeyPath({ project }))}>Create key</Item>
              <Separator className="menu__rule" />
              <Item onAction={() => setAsked('rename')}>Rename</Item>
              <Item onAction={go(projectPath(project, 'settings'))}>Settings</Item>
              <Item onAction={go(projectPath(project, 'aliases'))}>Model aliases</Item>
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
        {asked === 'delete' && <DeleteDialog row={row} onClose={close} />}
      </Suspense>
    </>
  )
}
