import { describe, expect, it } from 'vitest'
import { ApiError } from '../domain/error.ts'
import type { ReplySink } from '../http/reply.ts'
import type { Exchange } from './connection.ts'
import type { Ending } from './settle.ts'
import { ElementSplitter, EventSplitter } from './splitter.ts'
import { StreamMeter } from './stream-meter.ts'
import { UpstreamAnswer } from './upstream-answer.ts'

const CREDENTIAL = 'the-real-credential'

/** A meter between an upstream that the test plays and a client that the test reads. */
function play(events = true) {
  let writable = true
  const upstream = { paused: 0, resumed: 0, aborted: null as Error | null }
  const exchange = {
    pause: () => upstream.paused++,
    resume: () => upstream.resumed++,
    abort: (cause: Error) => (upstream.aborted = cause),
  }
  const answer = new UpstreamAnswer(HEAD, exchange as unknown as Exchange)
  const endings: Ending[] = []
  let durable = (): void => {}
  const credentialReasons: string[] = []
  const meter = new StreamMeter({
    answer,
    events,
    splitter: events ? new EventSplitter() : new ElementSplitter(),
    pieceBytesMax: 1_000,
    scrub: text => text.replaceAll(CREDENTIAL, '…'),
    settle: ending => {
      endings.push(ending)
      return new Promise(resolve => (durable = resolve))
    },
    onCredentialRefused: reason => credentialReasons.push(reason),
  })
  const client = { text: '', over: null as string | null, drained: (): void => {} }
  const sink: ReplySink = {
    write: chunk => {
      expect(client.over).toBeNull()
      client.text += Buffer.from(chunk).toString()
      return writable
    },
    end: () => (client.over ??= 'ended'),
    cut: () => (client.over ??= 'cut'),
    onDrain: listener => (client.drained = listener),
  }
  const send = (text: string): void => answer.push(Buffer.from(text))
  const settled = async (): Promise<void> => {
    durable()
    await new Promise(resolve => setImmediate(resolve))
  }
  const block = (): void => void (writable = false)
  return { answer, meter, sink, client, upstream, endings, credentialReasons, send, settled, block }
}
const HEAD = { status: 200, contentType: null, retryAfter: null, serviceTier: null }

const event = (json: unknown): string => `data: ${JSON.stringify(json)}\r\n\r\n`
const text = (index = 0) => ({ candidates: [{ index, content: { parts: [{ text: 'x' }] } }] })
const finish = (index = 0) => ({
  candidates: [{ index, finishReason: 'STOP' }],
  usageMetadata: { promptTokenCount: 3 },
})
const CUT = new ApiError('API_KEY_INVALID', 'API key disabled.')

describe('the end of a stream waits for its usage to be durable', () => {
  it('from the piece with the finish reason on', async () => {
    const { meter, sink, client, send, answer, settled, endings } = play()
    meter.start(sink)
    send(event(text()))
    expect(client.text).toBe(event(text()))
    send(event(finish()))
    send(event({ usageMetadata: { promptTokenCount: 4 } }))
    answer.finish(null)
    expect(client.text).toBe(event(text()))
    await settled()
    expect(client.text).toBe(
      event(text()) + event(finish()) + event({ usageMetadata: { promptTokenCount: 4 } }),
    )
    expect(client.over).toBe('ended')
    expect(endings).toMatchObject([{ outcome: 'posted', usage: { promptTokens: 4 }, httpStatus: 200 }])
    expect(endings[0]?.responseBytes).toBe(Buffer.byteLength(client.text))
  })

  it('with fewer candidates than were asked for', () => {
    const { meter, sink, client, send } = play()
    meter.start(sink)
    send(event(finish(0)))
    expect(client.text).toBe('')
  })

  it('but candidates that follow are not kept waiting for those that finished', async () => {
    const { meter, sink, client, send, answer, settled } = play()
    meter.start(sink)
    send(event(finish(0)))
    send(event(text(1)))
    expect(client.text).toBe(event(finish(0)) + event(text(1)))
    send(event(finish(1)))
    expect(client.text).toBe(event(finish(0)) + event(text(1)))
    answer.finish(null)
    await settled()
    expect(client.text).toBe(event(finish(0)) + event(text(1)) + event(finish(1)))
  })

  it('when the prompt was blocked, through what comes after', () => {
    const { meter, sink, client, send } = play()
    meter.start(sink)
    send(event({ promptFeedback: { blockReason: 'SAFETY' } }))
    send(event({ usageMetadata: { promptTokenCount: 1 } }))
    expect(client.text).toBe('')
  })

  it('also when the upstream leaves out the last empty line: its usage counts', async () => {
    const { meter, sink, client, send, answer, settled, endings } = play()
    meter.start(sink)
    send(event(finish()).trimEnd())
    answer.finish(null)
    expect(client.text).toBe('')
    await settled()
    expect(client.text).toBe(event(finish()).trimEnd())
    expect(endings).toMatchObject([{ outcome: 'posted', usage: { promptTokens: 3 } }])
  })

  it('also when an array was asked for and one object came', async () => {
    const { meter, sink, client, send, answer, settled, endings } = play(false)
    meter.start(sink)
    send(JSON.stringify(finish()))
    answer.finish(null)
    await settled()
    expect(client.text).toBe(JSON.stringify(finish()))
    expect(endings).toMatchObject([{ outcome: 'posted', usage: { promptTokens: 3 } }])
  })
})

describe('a stream that ends well, but not in what it says, ends as one that broke off', () => {
  const begun = { ...text(), usageMetadata: { promptTokenCount: 3 } }
  const error = { error: { code: 503, status: 'UNAVAILABLE', message: 'overloaded' } }
  const array = (...chunks: object[]): string =>
    `[${chunks.map(chunk => JSON.stringify(chunk)).join(',\r\n')}`

  it.each([
    ['without a finish reason', true, event(begun)],
    ['with one that is null', true, event({ ...begun, candidates: [{ finishReason: null }] })],
    ['with a candidate that is not finished', true, event(text(1)) + event(finish())],
    ['without a candidate', true, event({ usageMetadata: { promptTokenCount: 3 } })],
    ['in the middle of an event', true, event(finish()) + event(finish()).slice(0, 40)],
    ['in the middle of an element', false, array(finish(), finish()).slice(0, -10)],
    ['without the end of its array', false, array(finish())],
    ['with something behind its array', false, `${array(finish())}]<p>`],
  ])('%s', async (_, events, sent) => {
    const { meter, sink, client, send, answer, settled, endings } = play(events)
    meter.start(sink)
    send(sent)
    answer.finish(null)
    expect(client.over).toBeNull()
    await settled()
    expect(endings).toMatchObject([{ outcome: 'estimated', httpStatus: 200, usage: { promptTokens: 3 } }])
    expect(client.over).toBe('cut')
    expect(client.text).toContain('UPSTREAM_BROKEN')
  })

  it.each([
    ['before it is finished', event(begun) + event(error)],
    ['after it is finished', event(finish()) + event(error)],
  ])('but for an error of its own %s, which is its end', async (_, sent) => {
    const { meter, sink, client, send, answer, settled, endings } = play()
    meter.start(sink)
    send(sent)
    answer.finish(null)
    await settled()
    expect(endings).toMatchObject([{ outcome: 'estimated' }])
    expect(client.over).toBe('ended')
    expect(client.text).toContain('overloaded')
    expect(client.text).not.toContain('UPSTREAM_BROKEN')
  })

  it('also when nobody listens any more', async () => {
    const { meter, sink, send, answer, settled, endings } = play()
    meter.start(sink)
    meter.leave(60_000)
    send(event(begun) + event(error))
    answer.finish(null)
    await settled()
    expect(endings).toMatchObject([{ outcome: 'estimated', httpStatus: 499 }])
  })

  it.each([
    [
      'a prompt that was blocked',
      true,
      event({ ...begun, candidates: [], promptFeedback: { blockReason: 'S' } }),
    ],
    ['its usage last', true, event(finish()) + event({ usageMetadata: { promptTokenCount: 3 } })],
    ['empty lines', true, `${event(finish())}\r\n\n `],
    ['a call of a tool', true, event({ ...finish(), candidates: [{ content: {}, finishReason: 'STOP' }] })],
    ['an array and its line', false, `${array(text(), finish())}\n]\n`],
  ])('and one with %s is whole', async (_, events, sent) => {
    const { meter, sink, client, send, answer, settled, endings } = play(events)
    meter.start(sink)
    send(sent)
    answer.finish(null)
    await settled()
    expect(endings).toMatchObject([{ outcome: 'posted' }])
    expect(client).toMatchObject({ over: 'ended', text: sent })
  })
})

describe('no credential leaves in a stream', () => {
  const suspended = { error: { code: 403, message: `Consumer 'api_key:${CREDENTIAL}' has been suspended.` } }

  it.each([
    ['as an event', event(suspended)],
    ['as bare JSON', `${JSON.stringify(suspended)}\n\n`],
    ['as an array', `${JSON.stringify([suspended])}\r\n\r\n`],
    ['without an end', JSON.stringify(suspended)],
    ['over several lines', `data: ${JSON.stringify(suspended, null, 1).replaceAll('\n', '\ndata: ')}\n\n`],
  ])('when an error comes %s', async (_, error) => {
    const { meter, sink, client, send, answer, settled, credentialReasons } = play()
    meter.start(sink)
    send(event(text()) + error)
    answer.finish(null)
    await settled()
    expect(client.text).not.toContain(CREDENTIAL)
    expect(client.text).toContain('UPSTREAM_CREDENTIAL_REFUSED')
    expect(credentialReasons).toHaveLength(1)
  })

  it('when it stands in something that is no JSON', async () => {
    const { meter, sink, client, send, answer, settled } = play()
    meter.start(sink)
    send(`: ${CREDENTIAL}\n\n${event(finish())}\n<p>${CREDENTIAL}</p>\n\n<p>${CREDENTIAL}`)
    answer.finish(null)
    await settled()
    expect(client.text.startsWith(': …\n\n')).toBe(true)
    expect(client.text).not.toContain(CREDENTIAL)
  })
})

describe('a client that is cut', () => {
  it('after its first bytes is told so, and the upstream is read on', async () => {
    const { meter, sink, client, send, answer, settled, endings } = play()
    meter.start(sink)
    send(event(text()))
    meter.cut(CUT, 60_000)
    expect(client.over).toBe('ended')
    expect(client.text).toContain('API key disabled.')
    send(event(finish()))
    answer.finish(null)
    await settled()
    expect(endings).toMatchObject([{ outcome: 'posted', httpStatus: 400, usage: { promptTokens: 3 } }])
  })

  it('before its reply began is told so too, rather than left hanging', () => {
    const { meter, sink, client } = play()
    meter.cut(CUT, 60_000)
    meter.start(sink)
    expect(client.over).toBe('ended')
    expect(client.text).toContain('API key disabled.')
    meter.leave(0)
  })

  it('is settled once, whatever comes after', async () => {
    const { meter, sink, send, answer, settled, endings } = play()
    meter.start(sink)
    meter.cut(CUT, 60_000)
    meter.cut(CUT, 60_000)
    meter.leave(60_000)
    send(event(finish()))
    answer.finish(new Error('reset'))
    answer.finish(null)
    await settled()
    meter.leave(60_000)
    expect(endings).toHaveLength(1)
    expect(endings[0]?.outcome).toBe('estimated')
  })
})

describe('pace', () => {
  it('a reader that is full pauses the upstream until it has drained', () => {
    const { meter, sink, client, send, upstream, block } = play()
    block()
    meter.start(sink)
    send(event(text()))
    expect(upstream).toMatchObject({ paused: 1, resumed: 0 })
    client.drained()
    expect(upstream.resumed).toBe(1)
  })

  it('a piece without end is not gathered for ever', () => {
    const { meter, sink, send, upstream } = play()
    meter.start(sink)
    send(`data: ${'x'.repeat(2_000)}`)
    expect(upstream.aborted).toBeInstanceOf(Error)
  })

  it('no timer is left when the client goes after the upstream has ended', async () => {
    const { meter, sink, answer, settled, upstream } = play()
    meter.start(sink)
    answer.finish(null)
    meter.leave(0)
    await settled()
    await new Promise(resolve => setTimeout(resolve, 5))
    expect(upstream.aborted).toBeNull()
  })
})

describe('what a stream says of searches counts once, whichever way it is told', () => {
  const searched = (webSearchQueries: string[], index = 0) => ({
    candidates: [{ index, groundingMetadata: { webSearchQueries } }],
  })
  const onMaps = (index = 0) => ({
    candidates: [{ index, groundingMetadata: { groundingChunks: [{ maps: { placeId: 'x' } }] } }],
  })
  const sound = (index = 0) => ({
    candidates: [{ index, content: { parts: [{ inlineData: { mimeType: 'audio/mpeg', data: 'AA==' } }] } }],
  })
  const long = 'where '.repeat(100)

  it.each<readonly [string, readonly object[], object]>([
    ['the whole so far', [searched(['a']), searched(['a', 'b'])], { searchQueries: 2 }],
    ['only what is new', [searched(['a', 'b']), searched(['c'])], { searchQueries: 3 }],
    ['the whole, and then nothing', [searched(['a', 'b']), searched([])], { searchQueries: 2 }],
    ['one run twice', [searched(['a', 'a']), searched(['a', 'a', 'b'])], { searchQueries: 3 }],
    ['one of each candidate', [searched(['a']), searched(['a'], 1)], { searchQueries: 2 }],
    ['long ones', [searched([`${long}1`]), searched([`${long}1`, `${long}2`])], { searchQueries: 2 }],
    ['a prompt, once', [searched(['a']), searched(['b'])], { searchPrompts: 1 }],
    ['maps, of each candidate', [onMaps(), onMaps(), onMaps(1)], { mapsQueries: 2 }],
    ['songs, of each candidate', [sound(), sound(), sound(1)], { units: { song: 2 } }],
  ])('%s', async (_, pieces, served) => {
    const { meter, sink, send, answer, endings, settled } = play()
    meter.start(sink)
    for (const piece of [...pieces, finish()]) send(event(piece))
    answer.finish(null)
    await settled()
    expect(endings[0]?.served).toMatchObject(served)
  })

  it('and never fewer, however many there are', async () => {
    const { meter, sink, send, answer, endings, settled } = play()
    meter.start(sink)
    for (let piece = 0; piece < 1_200; piece++) send(event(searched([`query ${piece}`])))
    send(event(finish()))
    answer.finish(null)
    await settled()
    expect(endings[0]?.served?.searchQueries).toBe(1_200)
  })
})
