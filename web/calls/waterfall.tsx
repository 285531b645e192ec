import { shownMs } from './call-table.tsx'
import type { CallJson } from './queries.ts'

const WIDTH = 1_000

interface Span {
  readonly text: string
  readonly look: string
  readonly fromMs: number
  readonly toMs: number
}

/** Where the time of a call went, as far as it was measured. */
export function Waterfall({ call }: { readonly call: CallJson }) {
  const spans = spansOf(call)
  const totalMs = Math.max(1, call.durationMs)
  return (
    <ol className="waterfall">
      {spans.map(({ text, look, fromMs, toMs }) => (
        <li key={text}>
          <span>{text}</span>
          <svg viewBox={`0 0 ${WIDTH} 8`} preserveAspectRatio="none" aria-hidden className="waterfall__bar">
            <rect className="waterfall__ground" width={WIDTH} height="8" />
            <rect
              className={`waterfall__span waterfall__span--${look}`}
              x={(fromMs / totalMs) * WIDTH}
              width={Math.max(2, ((toMs - fromMs) / totalMs) * WIDTH)}
              height="8"
            />
          </svg>
          <span className="number">{shownMs(toMs - fromMs)}</span>
        </li>
      ))}
    </ol>
  )
}

function spansOf({ durationMs, firstByteMs }: CallJson): readonly Span[] {
  if (firstByteMs === undefined) {
    return [{ text: 'Without an answer', look: 'wait', fromMs: 0, toMs: durationMs }]
  }
  const firstMs = Math.min(firstByteMs, durationMs)
  return [
    { text: 'To the first byte', look: 'wait', fromMs: 0, toMs: firstMs },
    { text: 'The rest, and booking', look: 'answer', fromMs: firstMs, toMs: durationMs },
  ]
}
