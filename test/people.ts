/** Browsers and their people, for the suites about signing in. */
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { USERS_V1 } from '../src/contract/users.v1.ts'
import { TERMS_VERSION } from '../src/domain/terms.ts'
import { PROOF_MS } from '../src/domain/session.ts'
import type { Management } from './management.ts'
import type { Pollux } from './pollux.ts'

export const PASSWORD = 'plinth-orbit-walnut-47'
export const OWNER = 'ada@example.com'

export interface Visit {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  // oxlint-disable-next-line typescript/no-explicit-any -- a test reads whatever the wire brought
  readonly json: any
  readonly reason: string | undefined
  readonly setCookies: readonly string[]
}

export interface BrowserOptions {
  /** What stands in `Host`, and in `Origin` as `http://HOST`; the default is `localhost:PORT`. */
  readonly host?: string
  readonly origin?: string
}

/** A browser as a server sees one: it keeps cookies and says where its pages come from. */
export class TestBrowser {
  readonly #port: number
  readonly #host: string
  readonly origin: string
  readonly cookies = new Map<string, string>()

  constructor({ port }: Pick<Management, 'port'>, options: BrowserOptions = {}) {
    this.#port = port
    this.#host = options.host ?? `localhost:${port}`
    this.origin = options.origin ?? `http://${this.#host}`
  }

  /** `headers` replace those of a page of ours; undefined leaves one out. */
  async ask(
    method: string,
    path: string,
    { body, headers = {} }: { body?: unknown; headers?: Readonly<Record<string, string | undefined>> } = {},
  ): Promise<Visit> {
    const own: Record<string, string | undefined> = {
      host: this.#host,
      'user-agent': 'TestBrowser/1',
      'sec-fetch-site': 'same-origin',
      ...(method === 'GET' ? {} : { origin: this.origin }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(this.cookies.size === 0 ? {} : { cookie: this.cookieHeader() }),
      ...headers,
    }
    const given = Object.entries(own).filter((pair): pair is [string, string] => pair[1] !== undefined)
    return await new Promise((resolve, reject) => {
      const request = httpRequest(
        { host: '127.0.0.1', port: this.#port, method, path, headers: Object.fromEntries(given) },
        response => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk)).once('error', reject)
          response.once('end', () => {
            const text = Buffer.concat(chunks).toString('utf8')
            const json = text === '' ? null : JSON.parse(text)
            const setCookies = response.headers['set-cookie'] ?? []
            this.#keep(setCookies)
            const reason = json?.error?.details?.[0]?.reason
            resolve({ status: response.statusCode ?? 0, headers: response.headers, json, reason, setCookies })
          })
        },
      )
      request.once('error', reject)
      request.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }

  post(
    path: string,
    body: unknown = {},
    headers: Readonly<Record<string, string | undefined>> = {},
  ): Promise<Visit> {
    return this.ask('POST', path, { body, headers })
  }

  signIn(email: string = OWNER, password: string = PASSWORD): Promise<Visit> {
    return this.post('/pollux/v1/signIn:withPassword', { email, password })
  }

  cookieHeader(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  #keep(setCookies: readonly string[]): void {
    for (const line of setCookies) {
      const [pair = ''] = line.split(';')
      const [name = '', value = ''] = pair.split('=')
      if (value === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
  }
}

/** The token of a fresh set-up link. */
export async function setUpToken({ client }: Pick<Management, 'client'>): Promise<string> {
  return tokenOf((await client.call(USERS_V1.issueSetUpLink, { body: {} })).link)
}

export function tokenOf(link: string): string {
  return new URL(link).hash.slice(1)
}

/** What the set-up page sends. */
export function setUpBody(token: string, part: Readonly<Record<string, unknown>> = {}) {
  return { token, email: OWNER, password: PASSWORD, acceptedTerms: TERMS_VERSION, ...part }
}

/** Sets the owner up, signed in with a browser of their own. */
export async function setUpOwner(
  management: Pick<Management, 'client' | 'port'>,
  browser = new TestBrowser(management),
): Promise<TestBrowser> {
  const token = await setUpToken(management)
  const answer = await browser.post('/pollux/v1/links:accept', setUpBody(token))
  if (answer.status !== 200) throw new Error(`no set-up: ${JSON.stringify(answer.json)}`)
  return browser
}

/** Lets the time of a proof pass for every session: the clock of a process cannot be moved. */
export function ageProofs({ dataDir }: Pick<Pollux, 'dataDir'>): void {
  const database = new DatabaseSync(join(dataDir, 'pollux.sqlite'))
  database.prepare('update session set proof_time = proof_time - ?').run(PROOF_MS)
  database.close()
}
