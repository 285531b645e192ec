import { afterEach, expect, test, vi } from 'vitest'
import type { NoticeFacts } from './notices.ts'
import { noticesOf } from './notices.ts'
import { isNew, see, seenBy } from './seen.ts'

const NOW_MS = Date.UTC(2026, 10, 21)
const inDays = (days: number): string => new Date(NOW_MS + days * 86_400_000).toISOString()

const NOTHING: NoticeFacts = {
  degradedModes: [],
  models: ['gemini-3.8-flash'],
  budgets: [],
  projects: [project('1', 'shop', 'ACTIVE'), project('2', 'gone', 'DELETE_REQUESTED')],
  keys: [key('web')],
  usage: [],
}

function project(number: string, projectId: string, state: string): NoticeFacts['projects'][number] {
  return { name: `projects/${number}`, projectId, state } as NoticeFacts['projects'][number]
}

/** A key that needs nobody, but for what `part` says. */
function key(keyId: string, part: object = {}, number = '1'): NoticeFacts['keys'][number] {
  return {
    name: `projects/${number}/keys/${keyId}`,
    uid: `uid-${keyId}`,
    state: 'ACTIVE',
    createTime: inDays(-10),
    allowedModels: ['gemini-3.8-flash'],
    ...part,
  } as unknown as NoticeFacts['keys'][number]
}

function budget(part: object): NoticeFacts['budgets'][number] {
  return {
    name: 'projects/1/budgets/month',
    project: 'shop',
    period: 'month',
    state: 'ACTIVE',
    cap: '10000000000',
    posted: '0',
    overrun: '0',
    periodStartTime: inDays(-20),
    periodEndTime: inDays(10),
    ...part,
  } as unknown as NoticeFacts['budgets'][number]
}

const titlesOf = (facts: Partial<NoticeFacts>): readonly string[] =>
  noticesOf({ ...NOTHING, ...facts }, NOW_MS).map(({ title }) => title)
const used = (model: string, unpriced: number): NoticeFacts['usage'][number] =>
  ({ model, unpriced }) as NoticeFacts['usage'][number]

test.each<readonly [string, Partial<NoticeFacts>, readonly string[]]>([
  ['nothing', {}, []],
  ['a cap at 79 %', { budgets: [budget({ posted: '7999999999' })] }, []],
  ['a cap at 80 %', { budgets: [budget({ posted: '8000000000' })] }, ['shop: 80 % of its monthly cap spent']],
  ['a cap that is reached', { budgets: [budget({ state: 'EXHAUSTED' })] }, ['shop: monthly cap reached']],
  [
    'an overrun of the organization',
    { budgets: [budget({ project: undefined, state: 'FROZEN', overrun: '5', period: 'day' })] },
    ['Organization: daily cap frozen'],
  ],
  [
    'the cap of a key that is disabled',
    { keys: [key('web', { state: 'DISABLED' })], budgets: [budget({ key: 'web', state: 'EXHAUSTED' })] },
    [],
  ],
  ['a key of a deleted project', { keys: [key('old', { allowedModels: null }, '2')] }, []],
  [
    'a key that expires in a week',
    { keys: [key('web', { expireTime: inDays(6) })] },
    ['web expires in 6 days'],
  ],
  ['a key that expires later', { keys: [key('web', { expireTime: inDays(8) })] }, []],
  ['an unrestricted key', { keys: [key('web', { allowedModels: null })] }, ['web is unrestricted']],
  ['an old key', { keys: [key('web', { createTime: inDays(-90) })] }, ['web is older than 90 days']],
  [
    'a model without a price',
    { usage: [used('new-model', 3), used('gemini-3.8-flash', 1)] },
    ['new-model has no price'],
  ],
  [
    'many of a kind',
    { keys: ['a', 'b', 'c', 'd'].map(id => key(id, { allowedModels: null })) },
    ['4 keys are unrestricted'],
  ],
  [
    'what is wrong first',
    { keys: [key('web', { allowedModels: null })], degradedModes: ['push', 'usage'] },
    ['Calls are refused with 503', 'Something is away; calls are served', 'web is unrestricted'],
  ],
])('%s is told', (_, facts, titles) => {
  expect(titlesOf(facts)).toEqual(titles)
})

afterEach(() => vi.unstubAllGlobals())

test('what was seen is not new, until it counts more or is about another period', () => {
  const stored = new Map<string, string>()
  vi.stubGlobal('localStorage', {
    getItem: (name: string) => stored.get(name) ?? null,
    setItem: (name: string, value: string) => stored.set(name, value),
  })
  const many = (count: number) =>
    noticesOf(
      { ...NOTHING, keys: Array.from({ length: count }, (_, at) => key(`k${at}`, { allowedModels: null })) },
      NOW_MS,
    )
  const reached = (start: number) =>
    noticesOf(
      { ...NOTHING, budgets: [budget({ state: 'EXHAUSTED', periodStartTime: inDays(start) })] },
      NOW_MS,
    )
  const news = () =>
    [many(4), many(5), reached(-20), reached(10)].map(
      ([notice]) => notice !== undefined && isNew(notice, seenBy('ada')),
    )
  expect(news()).toEqual([true, true, true, true])
  see('ada', [...many(4), ...reached(-20)])
  expect(news()).toEqual([false, true, false, true])
  stored.set('pollux.notices.ada', '{"broken')
  expect(news()).toEqual([true, true, true, true])
})
