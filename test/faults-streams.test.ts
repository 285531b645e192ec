/** The experiment of bench/streams.ts in small: `npm run prove` runs it with 10,000 streams. */
import { expect, test } from 'vitest'
import { STREAM_PROMISES, type StreamsOptions, proveStreams, streamsSummary } from '../bench/streams.ts'
import { ceiling } from './ceiling.ts'

test('of a thousand streams at once no event is lost, and management and revocation are answered in time', async () => {
  const options: StreamsOptions = { streams: 1_000, events: 5, everyMs: 1_000 }
  const result = await proveStreams(options)
  const line = streamsSummary(options, result)
  console.log(line)
  expect(result.lost, line).toBe(0)
  expect(result.received).toBe(options.streams * options.events)
  // Of so few streams each carries a part of what the process takes anyway.
  expect(result.rssBytesPerStream, line).toBeLessThan(ceiling(STREAM_PROMISES.rssBytes))
  // How late an event is depends on what else the machine does; `npm run prove` judges it.
  expect(result.revocationP99Ms, line).toBeLessThan(ceiling(1_000))
  expect(result.readP99Ms, line).toBeLessThan(ceiling(500))
}, 120_000)
