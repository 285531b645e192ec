/** `pollux users` and `pollux setup-link` against a real management plane, and what a first start prints. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Ran, run } from './command-line.ts'
import { ADMIN_TOKEN, type Management, startManagement } from './management.ts'
import { OWNER, TestBrowser, setUpBody, tokenOf } from './people.ts'
import { startPollux } from './pollux.ts'

let management: Management
beforeAll(async () => {
  management = await startManagement()
})
afterAll(() => management.close())

const pollux = (...argv: string[]): Promise<Ran> => run({ url: management.origin, token: ADMIN_TOKEN }, argv)

describe('pollux users', () => {
  test('lets the owner in, invites, lists, shuts out and lets in again', async () => {
    const link = await pollux('setup-link')
    expect([link.code, link.err]).toEqual([
      0,
      expect.stringContaining('Whoever opens it first owns this Pollux.'),
    ])
    const browser = new TestBrowser(management)
    const accepted = setUpBody(tokenOf(link.out.trim()), { displayName: 'Ada' })
    expect((await browser.post('/pollux/v1/links:accept', accepted)).status).toBe(200)
    const late = await pollux('setup-link')
    expect([late.code, late.err]).toEqual([6, expect.stringContaining('`pollux users reset-link`')])

    const invited = await pollux('users', 'invite', 'grace@example.com', '--display-name', 'Grace')
    expect([invited.code, invited.out]).toEqual([
      0,
      expect.stringMatching(/^http:\/\/localhost\/invite#plx_link_\w{36}\n$/),
    ])
    const list = await pollux('users', 'list')
    expect(list.out.split('\n').map(line => line.split(/ {2,}/).slice(0, 3))).toMatchObject([
      ['EMAIL', 'NAME', 'STATE'],
      [OWNER, 'Ada', 'ACTIVE'],
      ['grace@example.com', 'Grace', 'INVITED'],
      [''],
    ])
    expect((await pollux('users', 'get', OWNER)).out).toContain('203.0.113.9')
    expect((await pollux('users', 'disable', OWNER)).out).toBe(
      'ada@example.com (Ada): is disabled, and signed out everywhere\n',
    )
    expect((await browser.ask('GET', '/pollux/v1/session')).status).toBe(401)
    expect((await pollux('users', 'enable', OWNER)).code).toBe(0)
    const reset = await pollux('users', 'reset-link', OWNER, '--json')
    expect(new URL(JSON.parse(reset.out).link).pathname).toBe('/reset')
    expect((await pollux('users', 'sign-out', OWNER)).err).toBe('0 sessions have ended.\n')
    expect((await pollux('users', 'get', 'nobody@example.com')).code).toBe(3)
  })
})

describe('a first start', () => {
  test(
    'prints the set-up link, which works once, and a later one does not print it again',
    { timeout: 60_000 },
    async () => {
      const pollux = await startPollux()
      try {
        const { port } = new URL(pollux.origin)
        const link =
          /^ {2}(http:\/\/localhost:\d+\/set-up#plx_link_\w{36})$/m.exec(pollux.output())?.[1] ?? ''
        const browser = new TestBrowser({ port: Number(port) })
        const body = setUpBody(tokenOf(link), { replaceFirstKey: true })
        const answer = await browser.post('/pollux/v1/links:accept', body)
        expect([answer.status, answer.json.defaultProject]).toEqual([200, 'default-project'])
        expect(answer.json.firstKey.keyString).toMatch(/^plx_\w{36}$/)
        expect(answer.json.firstKey.keyString).not.toBe(pollux.firstKeyString)
        expect((await browser.post('/pollux/v1/links:accept', body)).reason).toBe('LINK_INVALID')
        expect((await browser.ask('GET', '/pollux/v1/projects')).status).toBe(200)
        await pollux.kill('SIGTERM')
        const again = await startPollux({ dataDir: pollux.dataDir })
        expect(again.output()).not.toMatch(/plx_link_|setup-link/)
        await again.kill('SIGTERM')
      } finally {
        await pollux.stop()
      }
    },
  )
})
