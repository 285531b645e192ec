/** docs/asvs.md against the list of requirements, the repository, and its own sums. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import levels from '../docs/asvs-requirements.json' with { type: 'json' }

const ROOT = join(import.meta.dirname, '..')
const DOCUMENT = readFileSync(join(ROOT, 'docs', 'asvs.md'), 'utf8')
const VERDICTS = ['holds', 'partly', 'open', 'does not apply'] as const
const COLUMNS = 6

/** Requirement number to its lowest level, in the standard's order. */
const LEVELS = new Map<string, number>(Object.entries(levels))
const NUMBERS = [...LEVELS.keys()]

interface Row {
  readonly chapter: string
  readonly numbers: readonly string[]
  readonly verdict: string
  readonly code: string
  readonly proof: string
  readonly why: string
}

const rows: readonly Row[] = DOCUMENT.split(/^## /m)
  .filter(section => /^V\d+ /.test(section))
  .flatMap(section =>
    section
      .split('\n')
      .filter(line => /^\| \d/.test(line))
      .map(line => rowOf(section, line)),
  )

describe('docs/asvs.md', () => {
  test('has every requirement of levels 1 and 2 once, in the table of its chapter', () => {
    expect(NUMBERS).toHaveLength(253)
    const named = rows.flatMap(({ numbers }) => numbers)
    expect(named.filter((number, place) => named.indexOf(number) !== place)).toEqual([])
    expect(named.toSorted(byNumber)).toEqual(NUMBERS)
    for (const { chapter, numbers } of rows) {
      expect(numbers.filter(number => number.split('.')[0] !== chapter)).toEqual([])
    }
  })

  test('names a verdict, and its proof or the reason why there is none', () => {
    for (const { numbers, verdict, code, proof, why } of rows) {
      expect(VERDICTS, numbers.join()).toContain(verdict)
      if (verdict !== 'does not apply') expect([code, proof], numbers.join()).not.toContain('')
      if (verdict !== 'holds') expect(why, numbers.join()).not.toBe('')
    }
  })

  test('names no file that is not there', () => {
    const spans = [...DOCUMENT.matchAll(/`((?:[\w.-]+\/)+[\w.-]+\.\w+|[\w-]+\.(?:json|md))`/g)]
    const links = [...DOCUMENT.matchAll(/\]\((?!https:|#)([^)#]+)/g)]
    const paths = [...spans.map(([, path = '']) => path), ...links.map(([, path = '']) => join('docs', path))]
    expect(paths.length).toBeGreaterThan(200)
    expect(paths.filter(path => !existsSync(join(ROOT, path)))).toEqual([])
  })

  test('gives code in the column of code and tests in that of tests', () => {
    const pathsOf = (cell: string): readonly string[] =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path)
    for (const { numbers, code, proof } of rows) {
      expect(
        pathsOf(code).filter(path => path.endsWith('.test.ts')),
        numbers.join(),
      ).toEqual([])
      expect(
        pathsOf(proof).filter(path => !path.endsWith('.test.ts')),
        numbers.join(),
      ).toEqual([])
    }
  })

  test('begins with the sums of its tables', () => {
    expect(DOCUMENT).toContain(sums())
  })
})

function rowOf(section: string, line: string): Row {
  const cells = line
    .split('|')
    .slice(1, -1)
    .map(cell => cell.trim())
  expect(cells, line).toHaveLength(COLUMNS)
  const [numbers = '', , verdict = '', code = '', proof = '', why = ''] = cells
  const [, chapter = ''] = /^V(\d+) /.exec(section) ?? []
  return { chapter, numbers: numbers.split(', ').flatMap(expand), verdict, code, proof, why }
}

/** `1.2.6-1.2.8`: what lies between the two in the list, both included. */
function expand(range: string): readonly string[] {
  const [first = '', last = first] = range.split('-')
  const [from, to] = [NUMBERS.indexOf(first), NUMBERS.indexOf(last)]
  expect(from, `${range} begins with a requirement of the list`).not.toBe(-1)
  expect(to, `${range} ends with a later one`).toBeGreaterThanOrEqual(from)
  return NUMBERS.slice(from, to + 1)
}

function byNumber(left: string, right: string): number {
  return NUMBERS.indexOf(left) - NUMBERS.indexOf(right)
}

function sums(): string {
  const counted = VERDICTS.map(verdict => {
    const found = rows.filter(row => row.verdict === verdict).flatMap(({ numbers }) => numbers)
    return sumRow(verdict, found)
  })
  return ['| | Level 1 | Level 2 | Both |', '|---|---|---|---|', ...counted, sumRow('all', NUMBERS)].join(
    '\n',
  )
}

function sumRow(name: string, numbers: readonly string[]): string {
  const ofLevel = (level: number): number => numbers.filter(number => LEVELS.get(number) === level).length
  return `| ${name} | ${ofLevel(1)} | ${ofLevel(2)} | ${numbers.length} |`
}
