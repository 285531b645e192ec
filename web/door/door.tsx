import { type ReactNode, useEffect } from 'react'
import { Mark } from '../ui/star.tsx'
import './door.css'

interface DoorProps {
  readonly title: string
  readonly about: ReactNode
  readonly children: ReactNode
}

/** The frame of what one sees before being let in: one card under the night sky. */
export function Door({ title, about, children }: DoorProps) {
  useEffect(() => {
    document.title = `${title} · Pollux`
  }, [title])
  return (
    <main className="door">
      <div className="door__card">
        <div className="door__sky">
          <Mark size={44} />
          <div>
            <h1>{title}</h1>
            <p className="quiet">{about}</p>
          </div>
        </div>
        {children}
      </div>
    </main>
  )
}
