import { type KeyboardEvent, type PointerEvent, useEffect, useId, useRef, useState } from 'react'
import { labelPlaces, ticksTo } from './scale.ts'
import { type ChartBucket, type ChartLine, type ChartSeries, totalsOf } from './series.ts'

const HEIGHT = 232
const EDGE = { top: 18, right: 4, bottom: 24, left: 56 }
const LABEL_WIDTH = 76
/** Of a bar's place, what is left free beside it. */
const GAP_SHARE = 0.22

interface PlotProps {
  readonly title: string
  readonly buckets: readonly ChartBucket[]
  readonly series: readonly ChartSeries[]
  /** Which colour each series has, by id: it keeps it when others are hidden. */
  readonly places: ReadonlyMap<string, number>
  readonly show: (value: number) => string
  readonly previous?: readonly number[]
  readonly lines?: readonly ChartLine[]
}

/**
 * The bars. One stop for the keyboard: arrows walk along the buckets, and each says what it holds, as the line under the
 * chart does for the eye.
 */
export function Plot({ title, buckets, series, places, show, previous, lines = [] }: PlotProps) {
  const [frame, width] = useWidth()
  const [active, setActive] = useState<number | null>(null)
  const hatch = useId().replaceAll(/\W/g, '')
  const totals = totalsOf(series, buckets.length)
  const ends = lines.flatMap(({ from, to }) => [from[1], to[1]])
  const ticks = ticksTo(Math.max(0, ...totals, ...(previous ?? []), ...ends))
  const top = ticks.at(-1) ?? 1
  const step = (width - EDGE.left - EDGE.right) / Math.max(1, buckets.length)
  const y = (value: number): number => EDGE.top + (HEIGHT - EDGE.top - EDGE.bottom) * (1 - value / top)
  const x = (at: number): number => EDGE.left + at * step
  const last = buckets.length - 1
  const at = Math.min(active ?? last, last)
  const bucket = buckets[at]
  const said =
    bucket === undefined
      ? ''
      : describe(at, { bucket, series, totals, show, ...(previous === undefined ? {} : { previous }) })
  const pointAt = (event: PointerEvent<HTMLDivElement>): void => {
    const { left } = event.currentTarget.getBoundingClientRect()
    const place = Math.floor((event.clientX - left - EDGE.left) / step)
    setActive(place < 0 || place > last ? null : place)
  }
  const walk = (event: KeyboardEvent): void => {
    const to = {
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at + 1,
      Home: 0,
      End: last,
    }[event.key]
    if (to === undefined) return
    event.preventDefault()
    setActive(Math.min(Math.max(to, 0), last))
  }
  return (
    <>
      <div
        ref={frame}
        className="plot"
        role="slider"
        tabIndex={0}
        aria-label={`${title}: buckets of time`}
        aria-valuemin={1}
        aria-valuemax={Math.max(1, buckets.length)}
        aria-valuenow={Math.max(1, at + 1)}
        aria-valuetext={said}
        onPointerMove={pointAt}
        onPointerDown={pointAt}
        onPointerLeave={() => setActive(null)}
        onKeyDown={walk}
        onBlur={() => setActive(null)}
      >
        <svg width={width} height={HEIGHT} aria-hidden="true">
          <defs>
            <pattern
              id={hatch}
              width="6"
              height="6"
              patternUnits="userSpaceOnUse"
              patternTransform="rotate(45)"
            >
              <rect width="3" height="6" className="plot__hatch" />
            </pattern>
          </defs>
          {ticks.map(tick => (
            <g key={tick}>
              <path className="plot__line" d={`M${EDGE.left} ${y(tick)}H${width - EDGE.right}`} />
              <text className="plot__label" x={EDGE.left - 8} y={y(tick) + 4} textAnchor="end">
                {show(tick)}
              </text>
            </g>
          ))}
          {active !== null && (
            <rect
              className="plot__active"
              x={x(at)}
              y={EDGE.top}
              width={step}
              height={HEIGHT - EDGE.top - EDGE.bottom}
            />
          )}
          {buckets.map((bucket, at) => (
            <Bar
              key={bucket.id}
              {...{ bucket, at, series, places, y, hatch }}
              left={x(at) + (step * GAP_SHARE) / 2}
              width={Math.max(1, step * (1 - GAP_SHARE))}
              total={totals[at] ?? 0}
            />
          ))}
          {lines.map(({ kind, name, from, to }) => (
            <path
              key={name}
              className={`plot__${kind}`}
              d={`M${x(from[0])} ${y(from[1])}L${x(to[0])} ${y(to[1])}`}
            />
          ))}
          {previous !== undefined && <path className="plot__previous" d={stairs(previous, { x, y, step })} />}
          {labelPlaces(buckets.length, Math.floor((width - EDGE.left) / LABEL_WIDTH)).map(place => (
            <text
              key={place}
              className="plot__label"
              x={x(place) + step / 2}
              y={HEIGHT - 6}
              textAnchor={place === 0 && step < LABEL_WIDTH ? 'start' : 'middle'}
            >
              {buckets[place]?.label}
            </text>
          ))}
        </svg>
      </div>
      <p className="plot__said small" aria-hidden="true">
        {active === null ? (
          <span className="quiet">Point at a bar, or walk along them with the arrow keys.</span>
        ) : (
          said
        )}
      </p>
    </>
  )
}

interface BarProps {
  readonly bucket: ChartBucket
  readonly at: number
  readonly series: readonly ChartSeries[]
  readonly places: ReadonlyMap<string, number>
  readonly y: (value: number) => number
  readonly hatch: string
  readonly left: number
  readonly width: number
  readonly total: number
}

function Bar({ bucket, at, series, places, y, hatch, left, width, total }: BarProps) {
  let under = 0
  return (
    <g>
      {series.map(({ id, values }) => {
        const value = values[at] ?? 0
        if (value <= 0) return null
        const [bottom, top] = [y(under), y(under + value)]
        under += value
        const height = Math.max(0.75, bottom - top - (series.length > 1 ? 0.75 : 0))
        return (
          <rect
            key={id}
            className={`series series--${places.get(id) ?? 0}`}
            x={left}
            y={top}
            width={width}
            height={height}
          />
        )
      })}
      {bucket.isOpen === true && total > 0 && (
        <rect x={left} y={y(total)} width={width} height={y(0) - y(total)} fill={`url(#${hatch})`} />
      )}
      {bucket.mark !== undefined && (
        <path className="plot__mark" d={`M${left + width / 2 - 5} ${y(total) - 12}h10l-5 7z`} />
      )}
    </g>
  )
}

interface Described {
  readonly bucket: ChartBucket
  readonly series: readonly ChartSeries[]
  readonly totals: readonly number[]
  readonly show: (value: number) => string
  readonly previous?: readonly number[]
}

/** What a bucket holds, in one sentence. */
function describe(at: number, { bucket, series, totals, show, previous }: Described): string {
  const parts = series
    .map(({ name, values }) => ({ name, value: values[at] ?? 0 }))
    .filter(({ value }) => value > 0)
    .map(({ name, value }) => `${name} ${show(value)}`)
  return [
    `${bucket.title}: ${show(totals[at] ?? 0)}`,
    ...(parts.length > 1 || series.length > 1 ? parts : []),
    ...(previous === undefined ? [] : [`previous period ${show(previous[at] ?? 0)}`]),
    ...(bucket.mark === undefined ? [] : [bucket.mark]),
    ...(bucket.isOpen === true ? ['not over yet'] : []),
  ].join(' · ')
}

function stairs(
  values: readonly number[],
  {
    x,
    y,
    step,
  }: { readonly x: (at: number) => number; readonly y: (value: number) => number; readonly step: number },
): string {
  return values.map((value, at) => `${at === 0 ? 'M' : 'L'}${x(at)} ${y(value)}H${x(at) + step}`).join('')
}

/** The width that the frame has; charts are drawn in pixels, so that lines stay sharp. */
function useWidth() {
  const frame = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(640)
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) setWidth(Math.max(200, Math.floor(entry.contentRect.width)))
    })
    if (frame.current !== null) observer.observe(frame.current)
    return () => observer.disconnect()
  }, [])
  return [frame, width] as const
}
