/** The console's files as a client meets them: headers, compression, size, and what is not the console's. */
import { type IncomingHttpHeaders, request } from 'node:http'
import { readFileSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { openBuilt } from '../src/console.ts'
import { hashFile } from '../web/sources.ts'
import { builtConsole } from './console-browser.ts'
import { type Pollux, freePort, startPollux } from './pollux.ts'

const BUILT_DIR = join(import.meta.dirname, '..', 'dist', 'console')
const START_JS_BYTES_MAX = 180_000
const PIECE_JS_BYTES_MAX = 60_000

interface Chunk {
  readonly file: string
  readonly isEntry?: boolean
  readonly isDynamicEntry?: boolean
  readonly imports?: readonly string[]
}

let pollux: Pollux
let manifest: Readonly<Record<string, Chunk>>

beforeAll(async () => {
  await builtConsole()
  manifest = JSON.parse(readFileSync(join(BUILT_DIR, 'manifest.json'), 'utf8')) as typeof manifest
  pollux = await startPollux()
}, 120_000)
afterAll(() => pollux.stop())

/** A chunk and everything it cannot run without. */
function filesOf(name: string, seen: Set<string> = new Set()): ReadonlySet<string> {
  const chunk = manifest[name]
  if (chunk === undefined || seen.has(chunk.file)) return seen
  seen.add(chunk.file)
  for (const imported of chunk.imports ?? []) filesOf(imported, seen)
  return seen
}

function gzipBytes(files: Iterable<string>): number {
  return [...files]
    .filter(file => file.endsWith('.js'))
    .reduce((sum, file) => sum + gzipSync(readFileSync(join(BUILT_DIR, file)), { level: 9 }).length, 0)
}

describe('what the console loads', () => {
  const start = () => filesOf(Object.entries(manifest).find(([, { isEntry }]) => isEntry === true)?.[0] ?? '')

  it('is at most 180 kB of compressed script for the list of keys', () => {
    const bytes = gzipBytes(start())
    expect(bytes).toBeGreaterThan(50_000)
    expect(bytes).toBeLessThanOrEqual(START_JS_BYTES_MAX)
  })

  it('comes later in pieces of at most 60 kB', () => {
    const loaded = start()
    const pieces = Object.entries(manifest).filter(([, { isDynamicEntry }]) => isDynamicEntry === true)
    expect(pieces.length).toBeGreaterThan(3)
    for (const [name] of pieces) {
      const bytes = gzipBytes([...filesOf(name)].filter(file => !loaded.has(file)))
      expect([name, bytes <= PIECE_JS_BYTES_MAX]).toEqual([name, true])
    }
  })
})

describe('the console is served', () => {
  const script = () => `/${[...filesOf('console.html')].find(file => file.endsWith('.js')) ?? ''}`

  it('under a policy without inline script, evaluation, frames or other origins, and with Trusted Types', async () => {
    const { headers } = await fetch(`${pollux.origin}/keys/new`)
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy.split('; ')).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
      ]),
    )
    expect(policy).not.toMatch(/unsafe|https?:|data:/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('cache-control')).toBe('no-cache')
  })

  it('compressed beforehand, as the client takes it', async () => {
    const sizes = new Map<string, number>()
    for (const encoding of ['br', 'gzip', 'gzip;q=1, br;q=0', 'identity']) {
      const { headers, bytes } = await raw(script(), { 'accept-encoding': encoding })
      sizes.set(encoding, bytes)
      expect(headers['content-encoding']).toBe(
        { br: 'br', gzip: 'gzip', 'gzip;q=1, br;q=0': 'gzip', identity: undefined }[encoding],
      )
      expect(headers['vary']).toBe('accept-encoding')
      expect(headers['cache-control']).toBe('public, max-age=31536000, immutable')
    }
    expect(sizes.get('br')).toBeLessThan(sizes.get('gzip') ?? 0)
    expect(sizes.get('identity')).toBe(statSync(join(BUILT_DIR, script())).size)
  })

  it.each([
    ['/keys', 'text/html; charset=utf-8'],
    ['/favicon.svg', 'image/svg+xml; charset=utf-8'],
  ])('%s as %s', async (path, contentType) => {
    const { headers } = await fetch(`${pollux.origin}${path}`)
    expect(headers.get('content-type')).toBe(contentType)
  })

  it('with an ETag that spares a second transfer', async () => {
    const first = await raw('/', {})
    const again = await raw('/', { 'if-none-match': `"other", ${first.headers['etag'] ?? ''}` })
    expect([first.status, again.status, again.bytes]).toEqual([200, 304, 0])
  })

  it('to GET and HEAD only, with nothing behind a hashed name that is gone', async () => {
    expect((await fetch(`${pollux.origin}/keys`, { method: 'HEAD' })).status).toBe(200)
    expect((await fetch(`${pollux.origin}/keys`, { method: 'POST' })).status).toBe(404)
    expect((await fetch(`${pollux.origin}/assets/gone-abc.js`)).status).toBe(404)
  })

  it('beside management and calls, whose paths stay theirs', async () => {
    for (const [path, status] of [
      ['/pollux/v1/projects', 401],
      ['/keysx', 401],
      ['/nowhere', 401],
      ['/v1beta/models', 403],
      ['/healthz', 200],
    ] as const) {
      const response = await fetch(`${pollux.origin}${path}`)
      expect([path, response.status, response.headers.get('content-type')?.includes('html')]).toEqual([
        path,
        status,
        false,
      ])
    }
  })

  it('on the port of management where that has its own, with leave to call the other', async () => {
    const adminPort = await freePort()
    const split = await startPollux({ env: { POLLUX_ADMIN_PORT: String(adminPort) } }).catch(() => null)
    expect(split).not.toBeNull()
    if (split === null) return
    const page = await fetch(`http://127.0.0.1:${adminPort}/`)
    expect(page.headers.get('content-security-policy')).toContain(`connect-src 'self' ${split.origin};`)
    expect((await fetch(`${split.origin}/keys`)).status).not.toBe(200)
    await split.stop()
  })
})

/** Over `node:http`: fetch decodes what it gets. */
function raw(path: string, headers: Readonly<Record<string, string>>) {
  return new Promise<{
    readonly status: number
    readonly headers: IncomingHttpHeaders
    readonly bytes: number
  }>((resolve, reject) => {
    request(`${pollux.origin}${path}`, { headers }, response => {
      let bytes = 0
      response.on('data', (chunk: Buffer) => (bytes += chunk.length))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes }),
      )
    })
      .on('error', reject)
      .end()
  })
}

describe('a build that takes the place of another', () => {
  it('is never read in part, and keeps nobody from starting', async () => {
    const place = await mkdtemp(join(tmpdir(), 'pollux-builds-'))
    onTestFinished(() => rm(place, { recursive: true, force: true }))
    const folder = join(place, 'console')
    const write = async (build: number): Promise<void> => {
      const next = join(place, `next-${build}`)
      await mkdir(join(next, 'assets'), { recursive: true })
      for (let file = 0; file < 40; file++) {
        await writeFile(join(next, 'assets', `${file}-${build}.js`), String(build))
      }
      await writeFile(join(next, 'console.html'), String(build))
      await writeFile(hashFile(next), String(build))
      if (build > 0) await rename(folder, join(place, `former-${build}`))
      await rename(next, folder)
    }
    await write(0)
    const over = new AbortController()
    const rooms: (readonly string[])[] = []
    const replace = async (): Promise<void> => {
      for (let build = 1; build <= 30; build++) {
        await write(build)
        // On a fast disk no reader would ever meet a build that stays: every third one waits for one.
        const before = rooms.length
        if (build % 3 === 0) await vi.waitUntil(() => rooms.length > before, { timeout: 10_000, interval: 5 })
      }
    }
    const read = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const room = await openBuilt(folder, {})
        if (room !== null) rooms.push(room.paths())
      }
    }
    await Promise.all([replace().finally(() => over.abort()), read(), read()])
    expect(rooms.length).toBeGreaterThanOrEqual(10)
    for (const paths of rooms) {
      expect(paths).toHaveLength(41)
      const builds = new Set(paths.flatMap(path => /-(\d+)\.js$/.exec(path)?.[1] ?? []))
      expect(builds.size).toBe(1)
    }
  })
})
