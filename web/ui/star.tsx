/** The mark: two stars that belong together, Castor above, Pollux below and brighter. */
export function Mark({ size = 22 }: { readonly size?: number }) {
  return (
    <svg width={size} height={size} viewBox="4 4 24 24" fill="none" aria-hidden="true" className="mark">
      <path d="M11 19.5 21 11" className="mark__line" />
      <path
        d="M11 12.5 12.6 17.9 18 19.5 12.6 21.1 11 26.5 9.4 21.1 4 19.5 9.4 17.9Z"
        className="mark__pollux"
      />
      <path d="M21 6 22.2 9.8 26 11 22.2 12.2 21 16 19.8 12.2 16 11 19.8 9.8Z" className="mark__castor" />
    </svg>
  )
}
