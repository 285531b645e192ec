/** What the compiled console is made of, and whether it was made of what is there now. */
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const SOURCES = ['web', 'src/contract', 'src/domain', 'package-lock.json']
const HASH_FILE = 'sources.sha256'

/** Where the compiled console is. Kept out of the repository. */
export const BUILT_DIR = join(ROOT, 'dist', 'console')

/** The file in a build that names what it was made of. */
export function hashFile(folder: string): string {
  return join(folder, HASH_FILE)
}

/** What a build was made of; null where there is none. */
export function builtHash(folder: string): string | null {
  try {
    return readFileSync(hashFile(folder), 'utf8')
  } catch {
    return null
  }
}

export function isBuildCurrent(): boolean {
  return builtHash(BUILT_DIR) === hashOfSources()
}

export function hashOfSources(): string {
  const hash = createHash('sha256')
  for (const source of SOURCES) {
    const path = join(ROOT, source)
    const files = source.endsWith('.json') ? [path] : filesUnder(path)
    for (const file of files) hash.update(file.slice(ROOT.length)).update(readFileSync(file))
  }
  return hash.digest('hex')
}

/** Every file of a folder and all below it, sorted. */
export function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
}
