/** The house rules as a test: who may import whom, how long a file may be, which names are not used. */
import { existsSync, readFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')

/** Module -> modules it may import, besides itself. */
const IMPORTS: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  contract: ['domain'],
  secrets: ['domain'],
  // What is sealed is sealed in the transaction that stores it.
  storage: ['domain', 'secrets'],
  quota: ['domain'],
  http: ['domain'],
  gateway: ['domain', 'http'],
  control: ['domain', 'contract', 'http', 'storage'],
  sandbox: ['domain', 'http'],
  cli: ['domain', 'contract'],
  // Writes what the console and the tests look at, the way real changes are written.
  demo: ['domain', 'storage'],
  web: ['domain', 'contract'],
}

/** The only domain file that may import a builtin: the console runs the others in a browser. */
const DOMAIN_BUILTINS = new Set(['src/domain/digest.ts'])

const LINES_MAX = 400
const TEST_LINES_MAX = 600
const BANNED_NAMES =
  /(^|\/)(utils?|helpers?|common|shared|misc|types|constants|manager|base|impl|index)(\.test)?(\.[a-z]+)?(\/|$)/i
const ENVIRONMENT_READERS = new Set(['src/config.ts'])

interface SourceFile {
  readonly path: string
  readonly text: string
  readonly imports: readonly { readonly specifier: string; readonly isType: boolean }[]
}

const files: readonly SourceFile[] = listFiles()
  .filter(path => /\.(ts|tsx)$/.test(path) && !path.startsWith('test/clients/node_modules'))
  .map(path => {
    const text = readFileSync(join(ROOT, path), 'utf8')
    const imports = [
      ...text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^'"]*?\sfrom\s+)?['"]([^'"]+)['"]/gms),
    ]
      .concat([...text.matchAll(/\bimport\((type\s+)?['"]([^'"]+)['"]\)/g)])
      .map(match => ({ specifier: match[2] ?? '', isType: match[1] !== undefined }))
    return { path, text, imports }
  })

/** What is shipped: the server under src/, the console under web/. */
const product = files.filter(({ path }) => /^(src|web)\//.test(path) && !path.endsWith('.test.ts'))

describe('imports go one way', () => {
  test.each(product)('$path', file => {
    const from = moduleOf(file.path)
    if (from === null) return
    for (const { specifier, isType } of file.imports) {
      if (specifier.startsWith('node:') || !specifier.startsWith('.')) {
        const isAllowed = from !== 'domain' || DOMAIN_BUILTINS.has(file.path)
        expect(isAllowed, `${file.path} imports ${specifier}; domain imports nothing`).toBe(true)
        continue
      }
      const to = moduleOf(normalize(join(dirname(file.path), specifier)))
      expect(
        to,
        `${file.path} imports ${specifier}: no module may import the composition root`,
      ).not.toBeNull()
      if (to === null || to === from) continue
      expect(IMPORTS[from], `${file.path} imports ${specifier}`).toContain(to)
      if (from === 'control' && to === 'storage') {
        expect(isType, `${file.path} may import types only from storage`).toBe(true)
      }
    }
  })
})

test('files are small enough to read', () => {
  const long = files
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(
      ({ path, lines }) =>
        lines > (/^(src|web)\//.test(path) && !path.endsWith('.test.ts') ? LINES_MAX : TEST_LINES_MAX),
    )
  expect(long).toEqual([])
})

test('a file is named after what it is', () => {
  expect(listFiles().filter(path => BANNED_NAMES.test(path))).toEqual([])
})

test('only config reads the environment', () => {
  const readers = product.filter(({ text }) => /process\.env\b/.test(text)).map(({ path }) => path)
  expect(readers.filter(path => !ENVIRONMENT_READERS.has(path))).toEqual([])
})

test('every module and every folder of the import map exists', () => {
  for (const name of Object.keys(IMPORTS)) {
    expect(
      product.some(({ path }) => moduleOf(path) === name),
      name,
    ).toBe(true)
  }
})

/** The module of a path; null for the composition root's own files. */
function moduleOf(path: string): string | null {
  if (path.startsWith('web/')) return 'web'
  const [, module, rest] = path.split('/')
  return rest === undefined ? null : (module ?? null)
}

/** What is, or is about to be, in the repository. */
function listFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
  })
  return listed
    .toString('utf8')
    .split('\n')
    .filter(path => path !== '' && existsSync(join(ROOT, path)))
}
