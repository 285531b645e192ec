import { type ReactNode, useEffect } from 'react'
import './page.css'

export interface PageProps {
  readonly title: string
  /** One sentence: what is this screen for? */
  readonly about?: ReactNode
  readonly actions?: ReactNode
  /** The links between the screens of one subject. */
  readonly tabs?: ReactNode
  readonly children: ReactNode
}

/** A screen: its heading, which is the document's title too, and what can be done here. */
export function Page({ title, about, actions, tabs, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Pollux`
  }, [title])
  return (
    <>
      <header className="page__head">
        <div>
          <h1 tabIndex={-1}>{title}</h1>
          {about !== undefined && <p className="quiet">{about}</p>}
        </div>
        {actions !== undefined && <div className="actions">{actions}</div>}
      </header>
      {tabs}
      {children}
    </>
  )
}
