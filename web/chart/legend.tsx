import { type ChartLine, type ChartSeries, sumOf } from './series.ts'

interface LegendProps {
  readonly series: readonly ChartSeries[]
  readonly hidden: ReadonlySet<string>
  readonly onHide: (hidden: ReadonlySet<string>) => void
  readonly show: (value: number) => string
  readonly previous?: readonly number[]
  readonly isSum?: boolean
  readonly lines?: readonly ChartLine[]
}

/** What each colour is, and a switch for it. */
export function Legend({ series, hidden, onHide, show, previous, isSum = true, lines = [] }: LegendProps) {
  const toggle = (id: string): void => {
    const next = new Set(hidden)
    if (!next.delete(id)) next.add(id)
    onHide(next)
  }
  return (
    <ul className="legend" aria-label="Shown in the chart">
      {series.map(({ id, name, values }, place) => (
        <li key={id}>
          <button
            type="button"
            className="legend__entry"
            aria-pressed={!hidden.has(id)}
            onClick={() => toggle(id)}
          >
            <svg className="legend__swatch" width="12" height="12" aria-hidden="true">
              <rect className={`series series--${place}`} width="12" height="12" rx="2.5" />
            </svg>
            <span className="legend__name">{name}</span>
            {isSum && <span className="quiet">{show(sumOf(values))}</span>}
          </button>
        </li>
      ))}
      {lines.map(({ kind, name }) => (
        <li key={name} className="legend__entry">
          <svg className="legend__swatch" width="16" height="12" aria-hidden="true">
            <path className={`plot__${kind}`} d="M0 6H16" />
          </svg>
          <span className="legend__name">{name}</span>
        </li>
      ))}
      {previous !== undefined && (
        <li className="legend__entry">
          <svg className="legend__swatch" width="16" height="12" aria-hidden="true">
            <path className="plot__previous" d="M0 6H16" />
          </svg>
          <span className="legend__name">Previous period</span>
          {isSum && <span className="quiet">{show(sumOf(previous))}</span>}
        </li>
      )}
    </ul>
  )
}
