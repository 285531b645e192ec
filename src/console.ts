/** The console's place in the server: its files once they are built, a page that says so before. */
import { spawn } from 'node:child_process'
import type { OutgoingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Config, processEnvironment } from './config.ts'
import type { Exchange } from './http/listener.ts'
import { writeReply } from './http/reply.ts'
import { StaticRoom } from './http/static.ts'
import { BUILT_DIR, builtHash, isBuildCurrent } from '../web/sources.ts'

const PACKAGE_ROOT = join(import.meta.dirname, '..')
const BUILD_SCRIPT = join(PACKAGE_ROOT, 'web', 'build.ts')

/** What the console's page is while there is none. */
type Stage = 'building' | 'failed'

export interface Console {
  /** Answers a request for a path that `isConsolePath` names. */
  answer(exchange: Exchange): void
  /** Ends a build under way. */
  close(): void
}

export interface ConsoleOptions {
  /** Origin of calls where it is not the console's own, for the page's policy. */
  readonly callOrigin: string | null
  /** Told once when a build failed; `output` is what it wrote. */
  readonly onFailure: (output: string) => void
}

/** Where a browser reaches the data plane; null where that is the console's own origin. */
export function callOriginOf({ adminPort, publicOrigin, host, port }: Config): string | null {
  if (adminPort === null) return null
  return publicOrigin ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/**
 * Serves what was built before at once, and what a build makes as soon as it is done. A build is started when the sources
 * are not those of the one that is there.
 */
export async function openConsole(options: ConsoleOptions): Promise<Console> {
  const headers = pageHeaders(options.callOrigin)
  let room = await openBuilt(BUILT_DIR, headers)
  let stage: Stage = 'building'
  const build = room !== null && isBuildCurrent() ? null : startBuild()
  if (build !== null) void settle(build)
  async function settle({ done }: Build): Promise<void> {
    const { isBuilt, output } = await done
    try {
      if (isBuilt) room = (await openBuilt(BUILT_DIR, headers)) ?? room
      if (!isBuilt || room === null) options.onFailure(output)
    } catch (error) {
      options.onFailure(String(error))
    }
    stage = 'failed'
  }
  return {
    answer: exchange => (room === null ? answerStage(exchange, stage) : room.answer(exchange)),
    close: () => build?.stop(),
  }
}

const OPEN_ATTEMPTS = 5
const OPEN_AGAIN_MS = 50

/**
 * What a build left in the folder; null where there is none. Where another build takes its place meanwhile it is read again:
 * files of both make no console.
 */
export async function openBuilt(folder: string, headers: OutgoingHttpHeaders): Promise<StaticRoom | null> {
  for (let attempt = 1; attempt <= OPEN_ATTEMPTS; attempt++) {
    const hash = builtHash(folder)
    if (hash === null && attempt === 1) return null
    try {
      const room = await StaticRoom.open(folder, headers)
      if (hash !== null && builtHash(folder) === hash) return room
    } catch (error) {
      if (attempt === OPEN_ATTEMPTS && hash !== null && builtHash(folder) === hash) throw error
    }
    await delay(OPEN_AGAIN_MS)
  }
  return null
}

interface Build {
  readonly done: Promise<{ readonly isBuilt: boolean; readonly output: string }>
  stop(): void
}

const OUTPUT_CHARS_MAX = 20_000
/** In a process of its own: calls are answered meanwhile. */
function startBuild(): Build {
  const child = spawn(process.execPath, [BUILD_SCRIPT], {
    cwd: PACKAGE_ROOT,
    // React and Vite look at it: any other value makes a build for debugging, twice the size.
    env: { ...processEnvironment(), NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(-OUTPUT_CHARS_MAX)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  let isStopped = false
  const done = new Promise<{ isBuilt: boolean; output: string }>(resolve => {
    child.once('error', error => resolve({ isBuilt: false, output: String(error) }))
    child.once('close', code => {
      if (!isStopped) resolve({ isBuilt: code === 0, output })
    })
  })
  return {
    done,
    stop: () => {
      isStopped = true
      child.kill()
    },
  }
}

/** No script but our files, no inline style, no frame, nothing from elsewhere (CSP Level 3, Trusted Types). */
function pageHeaders(callOrigin: string | null): Record<string, string> {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "font-src 'self'",
    "img-src 'self'",
    `connect-src 'self'${callOrigin === null ? '' : ` ${callOrigin}`}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ]
  return {
    'content-security-policy': policy.join('; '),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  }
}

const STAGE_TEXT: Readonly<Record<Stage, string>> = {
  building: 'The console is being built. This page loads again by itself; calls are answered already.',
  failed:
    'The console could not be built. The log says why; `node web/build.ts` tries again. Calls are answered.',
}

function answerStage({ response, requestId }: Exchange, stage: Stage): void {
  const text = STAGE_TEXT[stage]
  writeReply(response, {
    status: 503,
    headers: {
      ...pageHeaders(null),
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'x-request-id': requestId,
      ...(stage === 'building' ? { 'retry-after': '2', refresh: '2' } : {}),
    },
    body: Buffer.from(
      `<!doctype html><html lang="en"><meta charset="utf-8"><title>Pollux</title><h1>Pollux</h1><p>${text}</p></html>\n`,
    ),
  })
}
