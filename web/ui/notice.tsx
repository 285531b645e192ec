import type { ReactNode } from 'react'
import { ContractError } from '../../src/contract/client.ts'
import { CopyButton } from './copy-button.tsx'

/** Something to know before going on. */
export function Notice({ children }: { readonly children: ReactNode }) {
  return <div className="notice">{children}</div>
}

/** What happened, why, what to do, and the request id to ask about. The server's message says the first three. */
export function ErrorNotice({ title, error }: { readonly title: string; readonly error: unknown }) {
  const isRefusal = error instanceof ContractError
  return (
    <div className="notice notice--wrong" role="alert">
      <p className="notice__title">{title}</p>
      <p>{error instanceof Error ? error.message : String(error)}</p>
      {isRefusal && error.requestId !== '' && (
        <p className="notice__facts">
          {error.reason} · request <code>{error.requestId}</code>{' '}
          <CopyButton text={error.requestId} label="Copy the request id" />
        </p>
      )}
    </div>
  )
}
