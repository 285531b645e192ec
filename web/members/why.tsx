/** Why the button beside it cannot be pressed; nothing when it can. */
export function Why({ reason, id }: { readonly reason: string | null; readonly id?: string }) {
  if (reason === null) return null
  return (
    <p className="why" {...(id === undefined ? {} : { id })}>
      {reason}
    </p>
  )
}
