/** Metrics of several processes as one text, each sample with the node it comes from (Prometheus' text format, 0.0.4). */

/** A sample: name, labels in braces or none, value. */
const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/
const HEAD = /^# (?:HELP|TYPE) (\S+) /

interface Family {
  readonly head: Set<string>
  readonly samples: string[]
}

/** One text of all; samples of one family stand together, as the format demands. */
export function mergeMetrics(texts: readonly { readonly node: number; readonly text: string }[]): string {
  const families = new Map<string, Family>()
  for (const { node, text } of texts) {
    let family: Family = { head: new Set(), samples: [] }
    for (const line of text.split('\n')) {
      const name = HEAD.exec(line)?.[1]
      if (name !== undefined) {
        family = families.get(name) ?? { head: new Set(), samples: [] }
        families.set(name, family)
        family.head.add(line)
        continue
      }
      const [, metric, labels, value] = SAMPLE.exec(line) ?? []
      if (metric === undefined) continue
      const all = labels === undefined || labels === '' ? `node="${node}"` : `${labels},node="${node}"`
      family.samples.push(`${metric}{${all}} ${value}`)
    }
  }
  return [...families.values()].flatMap(({ head, samples }) => [...head, ...samples, '']).join('\n')
}
