import { describe, expect, it } from 'vitest'
import type { Budget } from '../domain/budget.ts'
import type { Key } from '../domain/key.ts'
import type { Project } from '../domain/project.ts'
import type { QuotaGrant } from '../domain/quota.ts'
import { KeyDirectory, entryState } from './key-directory.ts'

const key = (uid: string, displayName = uid, projectNumber = '1') =>
  ({ uid, displayName, projectNumber, restrictions: null, allowedModels: null, allowedTools: null }) as Key
const project = (number = '1') => ({ number, deleteTimeMs: null }) as Project

const NO_QUOTA: QuotaGrant = { tier: null, projectLimits: [], keyLimits: [] }

/** A database whose answers come when the test lets them. */
function scene() {
  const rows = new Map<
    string,
    { key: Key; project: Project; budgets: readonly Budget[]; quota: QuotaGrant }
  >()
  const waiting: (() => void)[] = []
  let reads = 0
  let isHeld = false
  let freshAsOfMs = Infinity
  const directory = new KeyDirectory(
    {
      findByDigest: async digest => {
        reads++
        const row = rows.get(digest) ?? null
        if (isHeld) await new Promise<void>(resolve => waiting.push(resolve))
        return row
      },
    },
    { freshAsOfMs: () => (freshAsOfMs === Infinity ? performance.now() : freshAsOfMs) },
  )
  return {
    directory,
    write: (digest: string, row: Key, of = project()) =>
      rows.set(digest, { key: row, project: of, budgets: [], quota: NO_QUOTA }),
    purge: (digest: string) => rows.delete(digest),
    reads: () => reads,
    name: async (digest: string) => (await directory.find(digest))?.key.displayName ?? null,
    hold: () => (isHeld = true),
    letGo: () => {
      isHeld = false
      for (const resolve of waiting.splice(0)) resolve()
    },
    silence: () => (freshAsOfMs = performance.now() - 60_000),
    news: () => (freshAsOfMs = Infinity),
  }
}

describe('a known key', () => {
  it('is read once, also by calls that come at the same time', async () => {
    const { directory, write, reads, name } = scene()
    write('d', key('k'))
    expect(await Promise.all([name('d'), name('d'), name('d')])).toEqual(['k', 'k', 'k'])
    expect(directory.find('d')).not.toBeInstanceOf(Promise)
    expect(reads()).toBe(1)
  })

  it.each([
    ['the key', (directory: KeyDirectory) => directory.forgetKey('k')],
    ['its project', (directory: KeyDirectory) => directory.forgetProject('1')],
    ['everything', (directory: KeyDirectory) => directory.forgetAll()],
  ])('is read again after a change to %s', async (_, forget) => {
    const { directory, write, name } = scene()
    write('d', key('k', 'old'))
    expect(await name('d')).toBe('old')
    write('d', key('k', 'new'))
    forget(directory)
    expect(await name('d')).toBe('new')
  })

  it('stays where another changed', async () => {
    const { directory, write, reads, name } = scene()
    write('d', key('k'))
    await name('d')
    directory.forgetKey('other')
    directory.forgetProject('2')
    await name('d')
    expect(reads()).toBe(1)
  })
})

describe('a change during a look-up', () => {
  it.each([
    ['of the key', (directory: KeyDirectory) => directory.forgetKey('k')],
    ['of its project', (directory: KeyDirectory) => directory.forgetProject('1')],
    ['of everything', (directory: KeyDirectory) => directory.forgetAll()],
  ])('%s is seen by whoever waits for it, and by all later', async (_, forget) => {
    const { directory, write, name, hold, letGo } = scene()
    write('d', key('k', 'old'))
    hold()
    const waiting = name('d')
    write('d', key('k', 'new'))
    forget(directory)
    const later = name('d')
    letGo()
    expect(await Promise.all([waiting, later])).toEqual(['new', 'new'])
    expect(await name('d')).toBe('new')
  })

  it('that makes the key: it is found', async () => {
    const { directory, write, name, hold, letGo } = scene()
    hold()
    const waiting = name('d')
    write('d', key('k'))
    directory.forgetKey('k')
    letGo()
    expect(await waiting).toBe('k')
  })
})

describe('while changes of others might be missed', () => {
  it('every look-up reads the database', async () => {
    const { write, name, silence, news, reads } = scene()
    write('d', key('k', 'old'))
    await name('d')
    silence()
    write('d', key('k', 'new'))
    expect(await name('d')).toBe('new')
    write('d', key('k', 'newer'))
    expect(await name('d')).toBe('newer')
    news()
    expect(await name('d')).toBe('newer')
    expect(reads()).toBe(3)
  })

  it('a key that was found to be gone stays gone', async () => {
    const { write, purge, name, silence, news } = scene()
    write('d', key('k'))
    await name('d')
    silence()
    purge('d')
    expect(await name('d')).toBeNull()
    news()
    expect(await name('d')).toBeNull()
  })
})

it('a look-up that fails is tried anew by the next call', async () => {
  let isDown = true
  const directory = new KeyDirectory(
    { findByDigest: () => (isDown ? Promise.reject(new Error('down')) : Promise.resolve(null)) },
    { freshAsOfMs: () => performance.now() },
  )
  await expect(directory.find('d')).rejects.toThrow('down')
  isDown = false
  expect(await directory.find('d')).toBeNull()
})

it('unknown digests leave nothing behind: each is read each time', async () => {
  const { reads, name } = scene()
  for (let count = 0; count < 3; count++) expect(await name('x')).toBeNull()
  expect(reads()).toBe(3)
})

it('remembers 200,000 keys, the oldest leaving first', async () => {
  const { directory, write, reads, name } = scene()
  const ENTRIES_MAX = 200_000
  for (let at = 0; at <= ENTRIES_MAX; at++) {
    write(`d${at}`, key(`k${at}`))
    await directory.find(`d${at}`)
  }
  const before = reads()
  await name(`d${ENTRIES_MAX}`)
  await name('d1')
  expect(reads()).toBe(before)
  await name('d0')
  expect(reads()).toBe(before + 1)
})

it('a key of a deleted project is deleted', () => {
  const times = { deleteTimeMs: null, disabledTimeMs: null, expireTimeMs: null }
  const entry = { key: { ...key('k'), ...times }, rules: {}, consumer: '' }
  expect(entryState({ ...entry, project: project() } as Parameters<typeof entryState>[0], 0)).toBe('ACTIVE')
  const deleted = { ...entry, project: { ...project(), deleteTimeMs: 1 } } as Parameters<typeof entryState>[0]
  expect(entryState(deleted, 0)).toBe('DELETED')
})
