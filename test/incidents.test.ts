/** docs/incidents.md against the suites: every incident is tested, or has a reason why it cannot happen here. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const SUITES = ['test/incidents-calls.test.ts', 'test/incidents-management.test.ts'] as const

interface Row {
  readonly incident: string
  readonly test: string
  readonly reason: string
}

const rows: readonly Row[] = readFileSync(join(ROOT, 'docs', 'incidents.md'), 'utf8')
  .split('\n')
  .filter(line => line.startsWith('| ') && !line.startsWith('| Incident '))
  .map(line => {
    const cells = line.split('|').map(cell => cell.trim().replaceAll('`', ''))
    const [, incident = '', , test = '', reason = ''] = cells
    return { incident, test, reason }
  })

/** What stands in brackets at the end of a test's name, by suite. */
const named = new Map(
  SUITES.map(suite => {
    const text = readFileSync(join(ROOT, suite), 'utf8')
    const names = [...text.matchAll(/\bit(?:\.each\(\[[^]*?\]\))?\(\s*'([^\n]*)',\s*(?:async )?\(/g)]
    const incidents = names.map(([, name = '']) => /\(([^()]*)\)$/.exec(name)?.[1] ?? `nothing: ${name}`)
    return [suite, incidents.flatMap(text => (text.startsWith('litellm') ? [text] : splitIds(text)))] as const
  }),
)

describe('docs/incidents.md', () => {
  it('names for each incident its test, or the reason why there is none', () => {
    expect(rows.length).toBeGreaterThan(25)
    for (const { incident, test, reason } of rows) {
      if (test === 'none') expect(reason, incident).not.toBe('')
      else expect(SUITES, incident).toContain(test)
    }
  })

  it('has a test of that name where it says so', () => {
    for (const { incident, test } of rows) {
      if (test === 'none') continue
      const ids = named.get(test as (typeof SUITES)[number]) ?? []
      expect(
        ids.some(id => incident.endsWith(id)),
        `${incident} in ${test}`,
      ).toBe(true)
    }
  })

  it('has a row for every incident that a test names', () => {
    for (const [suite, ids] of named) {
      expect(ids.length).toBeGreaterThan(10)
      for (const id of ids) {
        const row = rows.find(({ incident, test }) => test === suite && incident.endsWith(id))
        expect(row, `${id} of ${suite}`).toBeDefined()
      }
    }
  })
})

/** `CVE-1, CVE-2`, but `Node, March 2026` and `LiteLLM on PyPI, March 2026` are one. */
function splitIds(text: string): readonly string[] {
  return /^(?:CVE|GHSA|GO)-/.test(text) ? text.split(', ') : [text]
}
