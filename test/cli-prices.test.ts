/** `pollux prices` against a real management plane: what it prints, refuses and exits with. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Ran, type Situation, run } from './command-line.ts'
import { ADMIN_TOKEN, type Management, startManagement } from './management.ts'

let management: Management

beforeAll(async () => {
  management = await startManagement()
})
afterAll(() => management.close())

async function prices(argv: readonly string[], situation?: Situation): Promise<Ran> {
  return await run({ url: management.origin, token: ADMIN_TOKEN }, ['prices', ...argv], situation)
}

async function output(argv: readonly string[], situation?: Situation): Promise<string> {
  const { code, out, err } = await prices(argv, situation)
  expect(code, err).toBe(0)
  return out
}

// oxlint-disable-next-line typescript/no-explicit-any -- a test reads whatever the wire brought
async function json(argv: readonly string[]): Promise<any> {
  return JSON.parse(await output([...argv, '--json']))
}

const lineOf = (text: string, model: string): string[] =>
  (text.split('\n').find(line => line.startsWith(`${model} `)) ?? '').trim().split(/ {2,}/)

test('list shows every model with its price then, and says which have none', async () => {
  const now = await output(['list', '--at', '2026-11-21'])
  expect(lineOf(now, 'gemini-3.8-flash')).toEqual([
    'gemini-3.8-flash',
    '$0.75',
    '$3.75',
    '$0.075',
    '2026-12-31T10:00:00.000Z',
    'shipped',
  ])
  expect(lineOf(now, 'gemini-2.5-flash')).toEqual([
    'gemini-2.5-flash',
    '$0.3',
    '$2.5',
    '$0.03',
    'in:audio=$1',
    'shipped',
  ])
  expect(lineOf(now, 'gemini-3.5-transcribe')[1]).toBe('unpriced')
  const then = await output(['list', '--at', '2027-02-01'])
  expect(lineOf(then, 'gemini-3.8-flash').slice(0, 3)).toEqual(['gemini-3.8-flash', '$1.5', '$7.5'])
})

test('show tells all of one model at a time', async () => {
  const text = await output(['show', 'gemini-2.5-pro', '--at', '2026-11-21'])
  const lines = text.split('\n').map(line => line.replace(/ {2,}/, ': '))
  for (const line of [
    'Input: $1.25 (text, image, video, audio) per million tokens',
    'Output over 200k: $15 (text) per million tokens',
    'Cache storage: $4.5 per million tokens and hour',
    'Batch: 0.5 x standard',
    'Tools: googleSearch $35 per 1,000 grounded prompts; 1500 free a day are charged here, ' +
      'googleMaps $25 per 1,000 grounded prompts; 10000 free a day are charged here, codeExecution no fee, ' +
      'urlContext no fee',
  ])
    expect(lines).toContain(line)
  expect(await output(['show', 'veo-3.1-generate-preview'])).toContain('videoSecond4K=$0.6')
  const dated = await json(['show', 'gemini-4-argon', '--at', '2026-12-02'])
  expect(dated.fields.output).toEqual({ text: 20 })
})

test('show of a model without a price exits with 3', async () => {
  const { code, err } = await prices(['show', 'gemini-99'])
  expect(code).toBe(3)
  expect(err).toContain("No price of the model 'gemini-99' is known")
})

test('set changes what flags name, keeps the rest as listed for then, and unset takes it back', async () => {
  const flags = ['--input', '0.60', '--output', 'text=3.00', '--note', 'our contract', '--from', '2026-12-01']
  const set = await json(['set', 'gemini-3.7-flash', ...flags])
  expect(set).toMatchObject({
    model: 'gemini-3.7-flash',
    effectiveTime: '2026-12-01T00:00:00.000Z',
    price: {
      input: { text: 0.6, image: 0.6, video: 0.6, audio: 0.6 },
      output: { text: 3 },
      cached: { text: 0.075 },
      priorityFactor: 1.8,
      note: 'our contract',
    },
  })
  expect(set.price.source).toBeUndefined()
  const { tiers } = await json(['show', 'gemini-3.7-flash', '--at', '2027-06-01'])
  expect([tiers.standard.input.text, tiers.batch.output.text]).toEqual(['600000', '1500000'])

  const table = await output(['overrides'])
  const id = String(set.name).split('/')[1] ?? ''
  expect(table).toContain(id)
  expect(table).toContain('our contract')

  const again = await prices(['set', 'gemini-3.7-flash', ...flags])
  expect([again.code, again.err.includes('delete that one first')]).toEqual([6, true])

  const unasked = await prices(['unset', id])
  expect(unasked.code).toBe(2)
  const refused = await prices(['unset', id], { isStdinTty: true, stdin: 'n\n' })
  expect(refused.code).toBe(1)
  expect((await prices(['unset', id, '--yes'])).code).toBe(0)
  expect((await prices(['unset', id, '--yes'])).code).toBe(3)
  expect(await json(['overrides'])).toEqual({ priceOverrides: [] })
  expect((await json(['show', 'gemini-3.7-flash', '--at', '2027-06-01'])).origin).toBe('shipped')
})

test('set says what the list changes later and it does not, and the command that follows it', async () => {
  const model = 'gemini-3.6-flash'
  const { code, err } = await prices(['set', model, '--input', '0.60', '--from', '2026-11-25'])
  expect(code, err).toBe(0)
  const follow = /pollux prices (set \S+ --from .*)/.exec(err)?.[1] ?? ''
  expect(follow).toBe(
    'set gemini-3.6-flash --from 2026-12-31T10:00:00.000Z ' +
      '--cached text=0.15,image=0.15,video=0.15,audio=0.15 --output text=7.5 --cache-storage 1',
  )
  expect(await output(['overrides'])).toContain('2026-12-31T10:00:00.000Z')
  const ofText = async (at: string) => {
    const { input, cached, output } = (await json(['show', model, '--at', at])).tiers.standard
    return [input.text, cached.text, output.text]
  }
  expect(await ofText('2026-12-31T10:00:00Z')).toEqual(['600000', '75000', '3750000'])

  const followed = await prices(follow.split(' '))
  expect([followed.code, followed.err.includes('another price')]).toEqual([0, false])
  expect(await ofText('2026-12-31T09:59:59.999Z')).toEqual(['600000', '75000', '3750000'])
  for (const at of ['2026-12-31T10:00:00Z', '2027-06-01T00:00:00Z'])
    expect(await ofText(at)).toEqual(['600000', '150000', '7500000'])
})

test('set says nothing of a later price in which it names all that changes', async () => {
  const flags = ['--cached', '0.05', '--output', '3', '--cache-storage', '0.4', '--from', '2026-11-25']
  const { code, err } = await prices(['set', 'gemini-3.8-flash', '--input', '0.60', ...flags])
  expect([code, err.includes('another price')]).toEqual([0, false])
  const some = await prices(['set', 'gemini-3.8-flash', '--input', 'text=0.60', '--from', '2026-11-26'])
  expect(some.err).toContain('--input image=1.5,video=1.5,audio=1.5')
})

test('set without a time holds from now on, for people with the way back', async () => {
  const { code, out, err } = await prices(['set', 'a-model-of-mine', '--unit', 'song=0.06'])
  expect(code, err).toBe(0)
  expect(out).toContain('Pieces     song=$0.06')
  const command = /pollux prices (unset \S+)/.exec(err)?.[1] ?? ''
  expect((await prices([...command.split(' '), '--yes'])).code).toBe(0)
})

test.each([
  [['set', 'm', '--input', '-1'], 'decimal'],
  [['set', 'm', '--input', 'smell=1'], 'smell'],
  [['set', 'm', '--unit', 'reel=1'], 'reel'],
  [['set', 'm', '--tool', 'hammer=1'], 'hammer'],
  [['set', 'm', '--input', '0.00000001'], 'places'],
  [['set', 'm'], 'at least one'],
  [['set', 'a model', '--input', '1'], 'exact id'],
])('%j is a mistake of usage, which names %s', async (argv, named) => {
  const { code, err } = await prices(argv)
  expect([code, err]).toEqual([2, expect.stringContaining(named)])
})
