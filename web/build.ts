/** Compiles the console into `dist/console`, if its sources changed since it was. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { BUILT_DIR, filesUnder, hashFile, hashOfSources, isBuildCurrent } from './sources.ts'

const COMPRESSED = /\.(?:js|css|html|svg)$/
/** Below this a compressed file saves no packet. */
const COMPRESS_BYTES_MIN = 512

if (!isBuildCurrent()) await build()

async function build(): Promise<void> {
  // Before compiling: a source that changes meanwhile makes the next build.
  const hash = hashOfSources()
  const [{ build: compile }, { default: config }] = await Promise.all([
    import('vite'),
    import('./vite.config.ts'),
  ])
  // Beside the folder and renamed at the end: a server that starts meanwhile reads a whole build or none.
  const folder = `${BUILT_DIR}.${process.pid}`
  const former = `${folder}.former`
  try {
    await compile({ ...config, build: { ...config.build, outDir: folder } })
    for (const path of filesUnder(folder)) compress(path)
    writeFileSync(hashFile(folder), hash)
    // Several nodes may start at once: the first build is served already.
    if (isBuildCurrent()) return
    mkdirSync(dirname(BUILT_DIR), { recursive: true })
    if (existsSync(BUILT_DIR)) renameSync(BUILT_DIR, former)
    renameSync(folder, BUILT_DIR)
  } catch (error) {
    // Another build of the same sources was faster.
    if (!isBuildCurrent()) throw error
  } finally {
    for (const left of [folder, former]) rmSync(left, { recursive: true, force: true })
  }
}

function compress(path: string): void {
  if (!COMPRESSED.test(path)) return
  const content = readFileSync(path)
  if (content.length < COMPRESS_BYTES_MIN) return
  writeFileSync(`${path}.br`, brotliCompressSync(content))
  writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }))
}
