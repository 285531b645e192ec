interface StatusCodeProps {
  readonly httpStatus: number
  readonly outcome: string
}

/** What the caller was given, and what is unusual about how the call ended. */
export function StatusCode({ httpStatus, outcome }: StatusCodeProps) {
  const look = httpStatus >= 500 ? 'wrong' : httpStatus >= 400 ? 'look' : 'fine'
  return (
    <span className={`status status--${look}`}>
      {httpStatus}
      {outcome === 'estimated' && <span className="quiet"> estimated</span>}
      {outcome === 'void' && <span className="quiet"> void</span>}
    </span>
  )
}
