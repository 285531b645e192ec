import type { ReactNode } from 'react'
import { Button as AriaButton, type ButtonProps } from 'react-aria-components'
import { Link } from 'react-router'
import './ui.css'

type Look = 'plain' | 'first' | 'grave' | 'bare'

interface Looks {
  /** `first` is what the screen is for, one a screen; `grave` cannot be undone at once. */
  readonly look?: Look
  readonly children: ReactNode
}

export function Button({ look = 'plain', children, ...rest }: Omit<ButtonProps, 'className'> & Looks) {
  return (
    <AriaButton {...rest} className={className(look)}>
      {children}
    </AriaButton>
  )
}

/** A link that looks like a button, because it leads to the thing to do. */
export function ButtonLink({ to, look = 'plain', children }: Looks & { readonly to: string }) {
  return (
    <Link to={to} className={className(look)}>
      {children}
    </Link>
  )
}

export function IconButton({
  label,
  children,
  ...rest
}: Omit<ButtonProps, 'className' | 'aria-label'> & { readonly label: string; readonly children: ReactNode }) {
  return (
    <AriaButton {...rest} aria-label={label} className="button button--bare button--icon">
      {children}
    </AriaButton>
  )
}

function className(look: Look): string {
  return look === 'plain' ? 'button' : `button button--${look}`
}
