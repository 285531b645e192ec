import type { CallJson } from './queries.ts'
import { shownSpan, spansOf } from './spans.ts'

const WIDTH = 1_000
/** What is short beside the rest is still seen. */
const SEEN = 12

/** Where the time of a call went, as far as it was measured: each step as a bar, and in numbers. */
export function Waterfall({ call }: { readonly call: CallJson }) {
  const spans = spansOf(call)
  const totalMs = Math.max(spans.at(-1)?.toMs ?? 0, Number.MIN_VALUE)
  const at = (ms: number): number => Math.min(WIDTH - SEEN, (ms / totalMs) * WIDTH)
  return (
    <div className="waterfall">
      <table>
        <caption className="unseen">Where its time went</caption>
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col" className="number">
              Began
            </th>
            <th scope="col" className="number">
              Took
            </th>
          </tr>
        </thead>
        <tbody>
          {spans.map(({ text, look, fromMs, toMs, isFine }) => (
            <tr key={text}>
              <th scope="row">
                <span className="waterfall__step">
                  <span>{text}</span>
                  <svg
                    viewBox={`0 0 ${WIDTH} 8`}
                    preserveAspectRatio="none"
                    aria-hidden
                    className="waterfall__bar"
                  >
                    <rect className="waterfall__ground" width={WIDTH} height="8" />
                    <rect
                      className={`waterfall__span waterfall__span--${look}`}
                      x={at(fromMs)}
                      width={Math.max(SEEN, ((toMs - fromMs) / totalMs) * WIDTH)}
                      height="8"
                    />
                  </svg>
                </span>
              </th>
              <td className="number quiet">{fromMs === 0 ? '0 ms' : shownSpan(fromMs, true)}</td>
              <td className="number">{shownSpan(toMs - fromMs, isFine)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">In all</th>
            <td />
            <td className="number">{shownSpan(call.durationMs, false)}</td>
          </tr>
        </tfoot>
      </table>
      <p className="quiet small">
        {call.admittedMs === undefined
          ? 'When it was let in is not in its record: an earlier version wrote it, or it was found in the journal after a crash.'
          : 'Its last bytes left once this record was durable. How long that took cannot be in the record itself.'}
      </p>
    </div>
  )
}
