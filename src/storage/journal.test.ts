import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { OpenHold } from '../domain/ledger.ts'
import { NO_USAGE, type UsageRecord } from '../domain/usage.ts'
import { journalFolder, readJournal } from './journal-segment.ts'
import { Journal } from './journal.ts'
import { encodeRecord } from './record-row.ts'

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'pollux-journal-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

const folder = () => journalFolder(dataDir)
const files = () => readdirSync(folder()).toSorted()
const newest = () => join(folder(), files().at(-1) ?? '')

function hold(callId: string, part: Partial<OpenHold> = {}): OpenHold {
  return {
    callId,
    startTimeMs: Date.UTC(2026, 10, 21),
    projectNumber: '1',
    keyUid: 'key',
    method: 'GenerateContent',
    model: 'model',
    heldNanos: 10,
    priceBasisPoints: 12_500,
    ledger: [1, 2],
    allotmentIds: ['a', 'b'],
    ...part,
  }
}

const record: UsageRecord = {
  callId: 'used',
  startTimeMs: Date.UTC(2026, 10, 21),
  durationMs: 5,
  firstByteMs: null,
  projectNumber: '1',
  keyUid: 'key',
  method: 'GenerateContent',
  model: 'model',
  modelVersion: 'model-001',
  outcome: 'posted',
  httpStatus: 200,
  usage: {
    ...NO_USAGE,
    details: { prompt: [{ modality: 'TEXT', tokenCount: 7 }], cached: [], toolUsePrompt: [], candidates: [] },
  },
  requestBytes: 1,
  responseBytes: 2,
  costNanos: 12,
  priceBasisPoints: 10_000,
  postedNanos: 10,
  heldNanos: 10,
  ledger: [1, 2],
  clampedOutputTokens: 256,
  receivedUs: 310,
  admittedUs: 840,
  lastByteUs: 5_210_000,
}

test('holds are read as they were written, in a private file, all of a turn at once', async () => {
  const journal = new Journal(dataDir)
  const written = [hold('a'), hold('b', { model: 'ünïcode "\n\u0000', ledger: [], allotmentIds: [] })]
  const before = statSync(newest()).size
  const promises = written.map(hold => journal.append(hold))
  expect(promises[0]).toBe(promises[1])
  expect(statSync(newest()).size).toBe(before)
  await Promise.all(promises)
  expect(readJournal(dataDir)).toEqual({
    segments: [1],
    holds: new Map(written.map(hold => [hold.callId, hold])),
    usages: new Map(),
    isWhole: true,
    recorded: null,
  })
  expect(statSync(newest()).mode & 0o777).toBe(0o600)
  expect(statSync(folder()).mode & 0o777).toBe(0o700)
  journal.close()
})

test('lines of before there was a price factor are of the list price', async () => {
  const journal = new Journal(dataDir)
  await journal.append(hold('old'))
  journal.keep([encodeRecord(record)])
  const path = newest()
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/,(?:12500|null)\](?=\]?\n)/g, ']'))
  const { holds, usages } = readJournal(dataDir)
  expect(holds.get('old')).toEqual(hold('old', { priceBasisPoints: 10_000 }))
  expect(usages.get(record.callId)).toEqual(record)
  journal.close()
})

test('a record that is kept outweighs the hold of its call', async () => {
  const journal = new Journal(dataDir)
  await journal.append(hold('used'))
  journal.keep([encodeRecord(record), encodeRecord({ ...record, callId: 'other' })])
  const { holds, usages } = readJournal(dataDir)
  expect([...holds.keys()]).toEqual(['used'])
  expect([...usages]).toEqual([
    ['used', record],
    ['other', { ...record, callId: 'other' }],
  ])
  journal.close()
})

test('a segment goes when its last call is over, and not before; the one that is written stays', async () => {
  const journal = new Journal(dataDir, 1)
  for (const callId of ['a', 'b', 'c']) await journal.append(hold(callId))
  journal.keep([encodeRecord({ ...record, callId: 'a' })])
  // The header alone fills a segment of one byte, so the first one stayed empty.
  await expect.poll(files, { timeout: 5_000 }).toHaveLength(4)
  const all = files()
  journal.settled('never heard of')
  journal.settled('b')
  await expect.poll(files, { timeout: 5_000 }).toEqual([all[0], all[2], all[3]])
  journal.settled('a')
  journal.settled('a')
  await expect.poll(files, { timeout: 5_000 }).toEqual([all[2], all[3]])
  await journal.append(hold('d'))
  // A segment may go while it is read.
  await vi.waitFor(() => expect([...readJournal(dataDir).holds.keys()]).toEqual(['c', 'd']))
  journal.settled('c')
  journal.settled('d')
  await expect.poll(files, { timeout: 5_000 }).toHaveLength(1)
  journal.close()
  // Closing starts one more segment, and the one before goes.
  await expect.poll(files, { timeout: 5_000 }).toHaveLength(1)
})

test('a line that was cut is no hold; the next run starts a segment of its own', async () => {
  const first = new Journal(dataDir)
  await Promise.all([first.append(hold('a')), first.append(hold('b'))])
  const written = readFileSync(newest(), 'utf8')
  first.close()
  const text = written.slice(0, written.lastIndexOf('["sum"'))
  for (const length of [text.length - 1, text.length - 30, text.indexOf('["hold","b"') + 1]) {
    writeFileSync(newest(), text.slice(0, length))
    const { holds, isWhole } = readJournal(dataDir)
    expect([[...holds.keys()], isWhole]).toEqual([['a'], true])
  }
  const second = new Journal(dataDir)
  await second.append(hold('c'))
  second.close()
  const { holds, segments, isWhole } = readJournal(dataDir)
  expect([[...holds.keys()], segments, isWhole]).toEqual([['a', 'c'], [1, 2], true])
})

test('what is missing is known to be missing', async () => {
  expect(readJournal(dataDir).isWhole).toBe(false)
  const journal = new Journal(dataDir)
  await journal.append(hold('a'))
  const text = readFileSync(newest(), 'utf8')
  journal.close()
  const closed = readFileSync(newest(), 'utf8')
  const isWholeAs = (changed: string): boolean => {
    writeFileSync(newest(), changed)
    return readJournal(dataDir).isWhole
  }
  expect(isWholeAs(text)).toBe(true)
  // Another run of the machine, a damaged line, nothing at all.
  const ofAnotherBoot = (lines: string) => lines.replace(/"[0-9a-f-]{36}"/, '"another"')
  expect(isWholeAs(ofAnotherBoot(text))).toBe(false)
  expect(isWholeAs(text.replace('"hold"', '"hol'))).toBe(false)
  // Closed, it outlives the machine; but no damage.
  expect(isWholeAs(ofAnotherBoot(closed))).toBe(true)
  expect(isWholeAs(ofAnotherBoot(closed).replace('"hold"', '"hol'))).toBe(false)
  expect(isWholeAs(ofAnotherBoot(closed).slice(0, -1))).toBe(false)
  expect(isWholeAs('')).toBe(false)
  // Killed while the second segment was being started.
  writeFileSync(join(folder(), 'holds-000000000.jsonl'), text)
  expect(isWholeAs('')).toBe(true)
})

test('a hold that cannot be written is refused, and later ones are written again', async () => {
  const journal = new Journal(dataDir, 1)
  rmSync(folder(), { recursive: true })
  const refused = await Promise.allSettled([journal.append(hold('a')), journal.append(hold('b'))])
  for (const result of refused) {
    expect(result).toMatchObject({ status: 'rejected', reason: { reason: 'STORAGE_UNAVAILABLE' } })
  }
  expect(() => journal.keep([encodeRecord(record)])).toThrow(/disk has space/)
  mkdirSync(folder())
  await journal.append(hold('c'))
  expect([...readJournal(dataDir).holds.keys()]).toEqual(['c'])
  journal.close()
  await expect(journal.append(hold('d'))).rejects.toMatchObject({ reason: 'STORAGE_UNAVAILABLE' })
})

const FILL_UP = `
const { Journal } = await import(${JSON.stringify(new URL('./journal.ts', import.meta.url).href)})
const journal = new Journal(process.argv[1])
const results = []
for (let turn = 0; turn < 40; turn += 1) {
  const ids = Array.from({ length: 7 }, (_, number) => turn + '-' + number)
  const settled = await Promise.allSettled(ids.map(callId => journal.append({
    callId, startTimeMs: 1, projectNumber: '1', keyUid: 'key', method: 'm', model: 'm', heldNanos: 1,
    ledger: [1], allotmentIds: ['a'] })))
  results.push(...ids.map((id, number) => [id, settled[number].reason?.reason ?? null]))
}
console.log(JSON.stringify(results))
`

test('on a full disk exactly the holds that were not refused are found', () => {
  // A limit on the size of files ends a write in its middle, as a full disk does.
  const script = `trap '' XFSZ; ulimit -f 8; exec "$0" --input-type=module -e "$1" "$2"`
  const said = execFileSync('bash', ['-c', script, process.execPath, FILL_UP, dataDir], { encoding: 'utf8' })
  const results = JSON.parse(said) as [string, string | null][]
  const written = results.filter(([, reason]) => reason === null).map(([callId]) => callId)
  expect(new Set(results.map(([, reason]) => reason))).toEqual(new Set([null, 'STORAGE_UNAVAILABLE']))
  expect(statSync(newest()).size).toBeGreaterThan(8 * 1_024 - 7 * 80)
  const { holds, isWhole } = readJournal(dataDir)
  expect([[...holds.keys()], isWhole]).toEqual([written, true])
})

test('a byte that changed on the disk is found wherever it stands, unless it changes nothing', async () => {
  const journal = new Journal(dataDir)
  for (const callId of ['a', 'b', 'c']) {
    journal.recorded({ callId, projectNumber: '1', startTimeMs: 5 })
    await journal.append(hold(callId))
  }
  expect(readJournal(dataDir)).toMatchObject({ isWhole: true, recorded: { callId: 'c', startTimeMs: 5 } })
  const { holds: all } = readJournal(dataDir)
  const whole = readFileSync(newest())
  for (let at = 0; at < whole.length; at += 5) {
    const changed = Buffer.from(whole)
    changed[at] = (changed[at] ?? 0) ^ 1
    writeFileSync(newest(), changed)
    const { isWhole, holds } = readJournal(dataDir)
    // Of the last line only the checksum may seem cut.
    if (!isWhole) continue
    expect(at).toBeGreaterThanOrEqual(whole.lastIndexOf('["sum"'))
    expect(holds).toEqual(all)
  }
  // What a disk forgot comes back as zeros.
  writeFileSync(newest(), Buffer.concat([whole, Buffer.alloc(4_096)]))
  expect(readJournal(dataDir).isWhole).toBe(false)
})
