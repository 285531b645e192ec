import { MenuItem } from 'react-aria-components'
import './ui.css'

interface ItemProps {
  readonly onAction: () => void
  readonly isGrave?: boolean
  readonly children: string
}

/** One thing that a menu does. */
export function Item({ onAction, isGrave = false, children }: ItemProps) {
  return (
    <MenuItem onAction={onAction} className={isGrave ? 'menu__item menu__item--grave' : 'menu__item'}>
      {children}
    </MenuItem>
  )
}
