/**
 * Everything CI runs: checks first, since they are quick, then all suites. Official clients are installed apart from the
 * product (test/clients) when they are missing. Ends with one line of counts.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const CLIENTS = join(ROOT, 'test', 'clients')

step('formatting', 'oxfmt', ['--check', '.'])
step('lint', 'oxlint', ['--type-aware'])
step('types', 'tsc', ['--noEmit'])
step('types of the console', 'tsc', ['--noEmit', '-p', 'web'])
step('the console', 'node', ['web/build.ts'])
step('unused files, exports and dependencies', 'knip', [])
if (!existsSync(join(CLIENTS, 'node_modules', '@google', 'genai'))) {
  step('official clients', 'npm', ['ci', '--ignore-scripts', '--prefix', CLIENTS])
}
const folder = mkdtempSync(join(tmpdir(), 'pollux-run-'))
const report = join(folder, 'report.json')
const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
const { status } = run('vitest', [...args, ...process.argv.slice(2)])
if (existsSync(report)) {
  const counts = JSON.parse(readFileSync(report, 'utf8')) as Record<string, number>
  const skipped = counts['numPendingTests'] ?? 0
  console.log(
    `${counts['numPassedTests']} passed, ${counts['numFailedTests']} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
  )
}
rmSync(folder, { recursive: true, force: true })
process.exit(status ?? 1)

function step(name: string, command: string, parameters: readonly string[]): void {
  console.log(`\n== ${name}`)
  const { status } = run(command, parameters)
  if (status === 0) return
  console.error(`\n${name}: failed`)
  process.exit(status ?? 1)
}

function run(command: string, parameters: readonly string[]): { readonly status: number | null } {
  // Hundreds of processes and threads load the same modules.
  const env = { ...process.env, NODE_COMPILE_CACHE: join(ROOT, 'node_modules', '.cache', 'test') }
  return spawnSync(command, parameters, { cwd: ROOT, stdio: 'inherit', env })
}
