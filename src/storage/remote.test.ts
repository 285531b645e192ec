import { Worker } from 'node:worker_threads'
import { afterEach, expect, test } from 'vitest'
import { ApiError, fieldViolation } from '../domain/error.ts'
import { RemoteCaller } from './remote.ts'

interface Objects {
  readonly echo: {
    give(value: unknown): Promise<unknown>
    emitThenAnswer(): Promise<string>
    refuse(): Promise<never>
    breakDown(): Promise<never>
    end(): Promise<never>
    throwOutside(): Promise<never>
    never(): Promise<never>
  }
}

const FAR_SIDE = `
const { parentPort } = require('node:worker_threads')
const load = async () => {
  const { answerCalls } = await import(${JSON.stringify(new URL('./remote.ts', import.meta.url).href)})
  const { ApiError, fieldViolation } = await import(${JSON.stringify(new URL('../domain/error.ts', import.meta.url).href)})
  const echo = {
    give: async value => value,
    emitThenAnswer: async () => { parentPort.postMessage({ event: 'first' }); return 'second' },
    refuse: async () => {
      throw new ApiError('ETAG_MISMATCH', 'read again', {
        metadata: { a: 'b' }, details: [fieldViolation('etag', 'stale')], errorInfo: false, cause: new Error('why') })
    },
    breakDown: async () => { throw new TypeError('a bug') },
    end: () => process.exit(0),
    throwOutside: () => new Promise(() => { setImmediate(() => { throw new Error('outside') }) }),
    never: () => new Promise(() => {}),
  }
  answerCalls(parentPort, { objects: { echo }, patience: null }, error =>
    error instanceof ApiError ? error : new ApiError('INTERNAL', 'public', { cause: error }))
}
load()
`

const workers: Worker[] = []

function start() {
  const worker = new Worker(FAR_SIDE, { eval: true })
  workers.push(worker)
  const events: unknown[] = []
  const caller = new RemoteCaller<Objects, unknown>(worker, event => events.push(event))
  return { worker, events, echo: caller.object('echo') }
}

afterEach(async () => {
  await Promise.all(workers.splice(0).map(worker => worker.terminate()))
})

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (error: unknown) => error,
  )

test('values go and come back as clones; calls may overtake none of their own answers', async () => {
  const { echo } = start()
  const value = { a: [1, null, 'x'], b: undefined }
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, number) => echo.give({ ...value, number })),
  )
  expect(answers).toEqual(Array.from({ length: 50 }, (_, number) => ({ ...value, number })))
})

test('an event that is emitted before the answer arrives before it', async () => {
  const { echo, events } = start()
  const seenAtAnswer = echo.emitThenAnswer().then(() => [...events])
  expect(await seenAtAnswer).toEqual(['first'])
})

test('an ApiError arrives with everything but its stack; its cause as text', async () => {
  const error = await errorOf(start().echo.refuse())
  expect(error).toBeInstanceOf(ApiError)
  expect(error).toMatchObject({
    reason: 'ETAG_MISMATCH',
    message: 'read again',
    metadata: { a: 'b' },
    details: [fieldViolation('etag', 'stale')],
    cause: expect.stringContaining('why'),
  })
})

test('any other error arrives as what it was translated to', async () => {
  const error = await errorOf(start().echo.breakDown())
  expect(error).toMatchObject({
    reason: 'INTERNAL',
    message: 'public',
    cause: expect.stringContaining('a bug'),
  })
})

test('an argument that cannot be cloned rejects the call alone', async () => {
  const { echo } = start()
  await expect(echo.give(() => 1)).rejects.toThrow(/clone/)
  expect(await echo.give(1)).toBe(1)
})

test.each(['end', 'throwOutside'] as const)(
  'a thread that dies (%s) rejects what is pending and whatever is called later',
  async how => {
    const { echo } = start()
    await echo.give(1)
    const pending = [errorOf(echo.never()), errorOf(echo[how]())]
    for (const error of await Promise.all(pending)) {
      expect(error).toMatchObject({ reason: 'STORAGE_UNAVAILABLE', cause: expect.any(String) })
    }
    expect(await errorOf(echo.give(1))).toMatchObject({ reason: 'STORAGE_UNAVAILABLE' })
  },
)
