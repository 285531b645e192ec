import { shownDistance, shownMoment } from './times.ts'

/** A moment as its distance from now; the exact time stands in the title. */
export function Time({ time }: { readonly time: string }) {
  return (
    <time dateTime={time} title={shownMoment(time)} className="nowrap">
      {shownDistance(time, Date.now())}
    </time>
  )
}
