/** Programs in Python that the suites drive, each in a virtual environment of its own below `.cache`. */
import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
export const PYTHON_SCRIPTS = join(import.meta.dirname, 'clients', 'python')
const CACHE = join(import.meta.dirname, '..', '.cache', 'python')
export const PYTHON_INSTALL_WAIT_MS = 240_000

/** What this machine lacks to make a virtual environment; null when it has it all. */
export function missingPython(): string | null {
  const asked = spawnSync('python3', ['-c', 'import venv, ensurepip'], { timeout: 20_000 })
  if (asked.error !== undefined) return 'python3'
  return asked.status === 0 ? null : 'the venv module of python3'
}

/** The interpreter of an environment that holds what the requirements file says; made where there is none. */
export async function pythonWith(requirementsFile: string): Promise<string> {
  const requirements = await readFile(join(PYTHON_SCRIPTS, requirementsFile), 'utf8')
  const folder = join(CACHE, requirementsFile.replace(/\.txt$/, ''))
  const python = join(folder, 'bin', 'python')
  const marker = join(folder, 'installed.txt')
  if (existsSync(marker) && (await readFile(marker, 'utf8')) === requirements) return python
  await rm(folder, { recursive: true, force: true })
  await mkdir(CACHE, { recursive: true })
  const options = { timeout: PYTHON_INSTALL_WAIT_MS }
  await run('python3', ['-m', 'venv', folder], options)
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirementsFile]
  await run(python, install, { ...options, cwd: PYTHON_SCRIPTS })
  // Last, so that an installation that broke off is made anew.
  await writeFile(marker, requirements)
  return python
}
