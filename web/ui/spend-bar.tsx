interface SpendBarProps {
  readonly label: string
  /** Nano-dollars. */
  readonly posted: bigint
  readonly held: bigint
  readonly cap: bigint
}

const WIDTH = 1_000n

/** What is spent and what calls hold, against the cap. The numbers stand beside it: the colour says nothing alone. */
export function SpendBar({ label, posted, held, cap }: SpendBarProps) {
  const share = (nanos: bigint): number => (cap === 0n ? 1_000 : Number(least((nanos * WIDTH) / cap, WIDTH)))
  const isFull = posted >= cap
  return (
    <svg
      className={isFull ? 'bar bar--full' : 'bar'}
      viewBox={`0 0 ${WIDTH} 4`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <rect className="bar__held" width={share(posted + held)} height="4" />
      <rect className="bar__posted" width={share(posted)} height="4" />
    </svg>
  )
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other
}
