/**
 * Compiles the console into `dist/console`, if its sources changed since it was. Exit codes: 0 built, 10 nothing to do, 1
 * failed.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'

const ROOT = join(import.meta.dirname, '..')
const BUILT_DIR = join(ROOT, 'dist', 'console')
const HASH_FILE = 'sources.sha256'
const EXIT_CURRENT = 10
/** What the compiled console is made of. */
const SOURCES = ['web', 'src/contract', 'src/domain', 'package-lock.json']
const COMPRESSED = /\.(?:js|css|html|svg)$/
/** Below this a compressed file saves no packet. */
const COMPRESS_BYTES_MIN = 512

const hash = hashOfSources()
if (builtHash() === hash) process.exit(EXIT_CURRENT)
await build()

async function build(): Promise<void> {
  const [{ build: compile }, { default: config }] = await Promise.all([
    import('vite'),
    import('./vite.config.ts'),
  ])
  // Beside the folder and renamed at the end: a server that starts meanwhile reads a whole build or none.
  const folder = `${BUILT_DIR}.${process.pid}`
  try {
    await compile({ ...config, build: { ...config.build, outDir: folder } })
    for (const path of filesUnder(folder)) compress(path)
    writeFileSync(join(folder, HASH_FILE), hash)
    mkdirSync(dirname(BUILT_DIR), { recursive: true })
    rmSync(BUILT_DIR, { recursive: true, force: true })
    renameSync(folder, BUILT_DIR)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function compress(path: string): void {
  if (!COMPRESSED.test(path)) return
  const content = readFileSync(path)
  if (content.length < COMPRESS_BYTES_MIN) return
  writeFileSync(`${path}.br`, brotliCompressSync(content))
  writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }))
}

function builtHash(): string | null {
  const path = join(BUILT_DIR, HASH_FILE)
  return existsSync(path) ? readFileSync(path, 'utf8') : null
}

function hashOfSources(): string {
  const hash = createHash('sha256')
  for (const source of SOURCES) {
    const path = join(ROOT, source)
    const files = source.endsWith('.json') ? [path] : filesUnder(path)
    for (const file of files) hash.update(file.slice(ROOT.length)).update(readFileSync(file))
  }
  return hash.digest('hex')
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
}
