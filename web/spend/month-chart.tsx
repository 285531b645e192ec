import { useState } from 'react'
import { BarChart } from '../chart/bar-chart.tsx'
import type { ChartBucket, ChartLine, ChartSeries } from '../chart/series.ts'
import { exactDollars, shownDollars } from '../ui/dollars.ts'
import type { MonthSpend } from './month.ts'

interface MonthChartProps {
  readonly spend: MonthSpend
  /** The least monthly cap of its own; null: none. */
  readonly capNanos: bigint | null
  readonly startMs: number
}

const DAY_MS = 86_400_000
/** How many times the height of the month a cap may be to be drawn. */
const CAP_IN_SIGHT = 5n

const dayText = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric', timeZone: 'UTC' })

/** A bar for each day of what was spent by its end, the pace as a line to the end of the month, and the cap across. */
export function MonthChart({ spend, capNanos, startMs }: MonthChartProps) {
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set())
  const today = spend.byDay.length - 1
  const buckets = Array.from({ length: spend.daysInMonth }, (_, day): ChartBucket => {
    const label = dayText.format(startMs + day * DAY_MS)
    return { id: label, label, title: day > today ? `${label}, to come` : label, isOpen: day === today }
  })
  return (
    <BarChart
      title="Spend of this month, cumulated"
      buckets={buckets}
      series={seriesOf(spend)}
      hidden={hidden}
      onHide={setHidden}
      lines={linesOf(spend, capNanos)}
      show={nanos => shownDollars(BigInt(Math.round(nanos)))}
      exact={nanos => exactDollars(BigInt(Math.round(nanos)))}
      fileName="spend-of-the-month"
      isSum={false}
    />
  )
}

/** What a day added stands on what was spent before; the days to come have neither. */
function seriesOf({ byDay, daysInMonth }: MonthSpend): readonly ChartSeries[] {
  let sum = 0n
  const before = byDay.map(nanos => {
    const earlier = sum
    sum += nanos
    return Number(earlier)
  })
  const toCome = Array.from({ length: daysInMonth - byDay.length }, () => 0)
  return [
    { id: 'before', name: 'Spent before the day', values: [...before, ...toCome] },
    { id: 'day', name: 'On the day', values: [...byDay.map(Number), ...toCome] },
  ]
}

function linesOf(
  { byDay, spentNanos, forecastNanos, daysInMonth }: MonthSpend,
  capNanos: bigint | null,
): readonly ChartLine[] {
  const lines: ChartLine[] = []
  if (forecastNanos !== null) {
    const name = `At the pace so far: ${shownDollars(forecastNanos)}`
    const from = [byDay.length - 0.5, Number(spentNanos)] as const
    lines.push({ kind: 'pace', name, from, to: [daysInMonth, Number(forecastNanos)] })
  }
  const most = forecastNanos ?? spentNanos
  // One that is far above would press the bars into a line; it stands over the chart.
  if (capNanos !== null && (most === 0n || capNanos < most * CAP_IN_SIGHT)) {
    const name = `Cap: ${shownDollars(capNanos)}`
    lines.push({ kind: 'limit', name, from: [0, Number(capNanos)], to: [daysInMonth, Number(capNanos)] })
  }
  return lines
}
