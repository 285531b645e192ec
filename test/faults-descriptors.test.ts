/** No more files and connections than the system lets a process have: what has none waits or is refused, and nothing falls. */
import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { Agent } from 'node:http'
import { type Socket, connect } from 'node:net'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { LEDGER_V1, PROJECT_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { startSandbox } from '../src/sandbox/server.ts'
import { ceiling } from './ceiling.ts'
import { startFaultProxy } from './fault-proxy.ts'
import { startPollux } from './pollux.ts'
import { recordsOfCalls } from './records.ts'
import { send } from './traffic.ts'

const CREDENTIAL = 'credential-of-the-descriptors'
/** What is left to open when the clients come, and how many come. */
const LEFT = 4
const CROWD = 40

test('without descriptors calls get 503, nothing of them is lost, and all is served when there are some again', async () => {
  const sandbox = await startSandbox({ credential: CREDENTIAL })
  onTestFinished(() => sandbox.close())
  const proxy = await startFaultProxy({ host: '127.0.0.1', port: Number(new URL(sandbox.origin).port) })
  onTestFinished(() => proxy.close())
  const pollux = await startPollux({
    env: { GEMINI_API_KEY: CREDENTIAL, POLLUX_GEMINI_BASE_URL: `http://127.0.0.1:${proxy.port}` },
  })
  onTestFinished(() => pollux.stop())
  const { pid } = pollux.process
  const port = Number(new URL(pollux.origin).port)
  const params = { project: 'default-project' }
  const { keyString = '' } = await pollux.client.call(POLLUX_V1.createKey, {
    params,
    query: { keyId: 'subject' },
    body: {},
  })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  await pollux.client.call(PROJECT_BUDGETS_V1.createBudget, {
    params,
    query: { budgetId: 'total' },
    body: { cap: '1000000000000' },
  })
  const call = () => send(pollux.origin, { keyString, agent, text: 'Tell me of stars' })
  const verify = () => pollux.client.call(LEDGER_V1.verifyLedger, {})
  expect((await call()).status).toBe(200)

  const open = (await readdir(`/proc/${pid}/fd`)).length
  await limitDescriptors(pid, open + LEFT)
  const crowd: Socket[] = []
  onTestFinished(() => crowd.forEach(socket => socket.destroy()))
  const crowdIn = async (): Promise<void> => {
    const closed = (): number => crowd.filter(socket => socket.closed).length
    const before = closed()
    for (let client = 0; client < CROWD; client++) crowd.push(await arrive(port))
    await expect.poll(closed, { timeout: ceiling(5_000) }).toBeGreaterThan(before)
  }
  await crowdIn()
  // The connection to the upstream goes, and somebody else gets what it leaves.
  proxy.reset()
  await crowdIn()
  const refused = await call()
  expect([refused.status, refused.reason]).toEqual([503, 'OVERLOADED'])
  expect((await recordsOfCalls(pollux.dataDir, [refused.requestId])).map(({ outcome }) => outcome)).toEqual([
    'void',
  ])

  // Nor one to look at the file of the database with.
  await expect(verify()).rejects.toMatchObject({ reason: 'STORAGE_UNAVAILABLE' })

  for (const socket of crowd) socket.destroy()
  await expect.poll(async () => (await call()).status, { timeout: ceiling(5_000) }).toBe(200)
  await limitDescriptors(pid, open + 100)
  const ledger = await verify()
  // The project's, and that of the first key, which was deleted.
  expect([ledger.rowsChecked, ledger.drifts]).toEqual([2, []])
  expect(pollux.process.exitCode).toBeNull()
})

/** A client that says nothing. It stays until Pollux, or the system for it, closes it. */
async function arrive(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.resume()
  return socket
}

/** The most descriptors that a running process may have. */
async function limitDescriptors(pid: number | undefined, count: number): Promise<void> {
  await promisify(execFile)('prlimit', ['--pid', String(pid), `--nofile=${count}:`])
}
