/** Compiled files from memory: the console. Answers GET and HEAD; every address that is no file gets the start page. */
import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import type { OutgoingHttpHeaders } from 'node:http'
import { extname, join, relative, sep } from 'node:path'
import { ApiError } from '../domain/error.ts'
import type { Exchange } from './listener.ts'
import { writeReply } from './reply.ts'

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.woff2': 'font/woff2',
}

/** Encodings that are looked for beside a file, the denser first. */
const ENCODINGS = [
  { name: 'br', suffix: '.br' },
  { name: 'gzip', suffix: '.gz' },
] as const

/** Names under here have a hash of their content in them. */
const HASHED = '/assets/'
const START_PAGE = '/console.html'

interface StaticFile {
  readonly headers: OutgoingHttpHeaders
  readonly etag: string
  /** By encoding; `identity` is always there. */
  readonly bodies: ReadonlyMap<string, Buffer>
}

/** Files of one folder, read once. */
export class StaticRoom {
  readonly #files: ReadonlyMap<string, StaticFile>

  private constructor(files: ReadonlyMap<string, StaticFile>) {
    this.#files = files
  }

  /**
   * Reads a folder and all below it. `headers` go out with every file. Rejects when the folder cannot be read or has no
   * `console.html`.
   */
  static async open(folder: string, headers: OutgoingHttpHeaders): Promise<StaticRoom> {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    const files = new Map<string, StaticFile>()
    for (const entry of entries) {
      const contentType = CONTENT_TYPES[extname(entry.name)]
      if (!entry.isFile() || contentType === undefined) continue
      const path = join(entry.parentPath, entry.name)
      const url = `/${relative(folder, path).split(sep).join('/')}`
      files.set(url, await readStaticFile(path, { ...headers, 'content-type': contentType }, url))
    }
    if (!files.has(START_PAGE)) throw new Error(`There is no ${START_PAGE} in ${folder}.`)
    return new StaticRoom(files)
  }

  /** The addresses that are files. */
  paths(): readonly string[] {
    return [...this.#files.keys()]
  }

  /** Throws METHOD_UNKNOWN for other methods than GET and HEAD, RESOURCE_NOT_FOUND for a hashed file of another build. */
  answer({ request, response, target: { path }, requestId }: Exchange): void {
    const { method } = request
    if (method !== 'GET' && method !== 'HEAD') {
      throw new ApiError('METHOD_UNKNOWN', 'The console answers GET and HEAD only.')
    }
    const file = this.#files.get(path) ?? (path.startsWith(HASHED) ? undefined : this.#files.get(START_PAGE))
    if (file === undefined) {
      throw new ApiError(
        'RESOURCE_NOT_FOUND',
        'The console has no such file. It was built anew: load the page again.',
      )
    }
    const headers = { ...file.headers, 'x-request-id': requestId }
    if (matchesEtag(request.headers['if-none-match'], file.etag)) {
      writeReply(response, { status: 304, headers, body: Buffer.alloc(0) })
      return
    }
    const { encoding, body } = chooseBody(file, request.headers['accept-encoding'])
    writeReply(response, {
      status: 200,
      headers: encoding === null ? headers : { ...headers, 'content-encoding': encoding },
      body,
    })
  }
}

async function readStaticFile(path: string, headers: OutgoingHttpHeaders, url: string): Promise<StaticFile> {
  const identity = await readFile(path)
  const bodies = new Map<string, Buffer>([['identity', identity]])
  for (const { name, suffix } of ENCODINGS) {
    const compressed = await readIfThere(`${path}${suffix}`)
    if (compressed !== null) bodies.set(name, compressed)
  }
  const etag = `"${createHash('sha256').update(identity).digest('base64url').slice(0, 22)}"`
  const isHashed = url.startsWith(HASHED)
  return {
    etag,
    bodies,
    headers: {
      ...headers,
      // Weak: the encodings of one file share it (RFC 9110 section 8.8.1).
      etag: `W/${etag}`,
      vary: 'accept-encoding',
      'cache-control': isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
    },
  }
}

async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** RFC 9110 section 13.1.2: a list of tags, compared weakly, or `*`. */
function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header
    .split(',')
    .map(tag => tag.trim().replace(/^W\//, ''))
    .some(tag => tag === '*' || tag === etag)
}

/** The densest encoding the client takes; one with `q=0` it does not. */
function chooseBody(
  { bodies }: StaticFile,
  acceptEncoding: string | string[] | undefined,
): { readonly encoding: string | null; readonly body: Buffer } {
  const taken = new Set(
    String(acceptEncoding ?? '')
      .split(',')
      .map(entry => entry.trim().toLowerCase())
      .filter(entry => !/;\s*q=0(?:\.0*)?$/.test(entry))
      .map(entry => entry.split(';', 1)[0]?.trim() ?? ''),
  )
  for (const { name } of ENCODINGS) {
    const body = bodies.get(name)
    if (body !== undefined && taken.has(name)) return { encoding: name, body }
  }
  return { encoding: null, body: bodies.get('identity') ?? Buffer.alloc(0) }
}
