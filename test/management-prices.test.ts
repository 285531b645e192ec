import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PRICES_V1 } from '../src/contract/prices.v1.ts'
import { type Management, startManagement } from './management.ts'

let management: Management

beforeAll(async () => {
  management = await startManagement()
})
afterAll(() => management.close())

const at = (time: string) => ({ query: { at: time } })
const priceOf = (model: string, time = '2026-11-21T00:00:00Z') =>
  management.client.call(PRICES_V1.getPrice, { params: { model }, ...at(time) })
const set = (body: Record<string, unknown>) =>
  management.request('POST', '/pollux/v1/priceOverrides', { body: JSON.stringify(body) })

describe('the list', () => {
  test('has every model with a price then, and none without', async () => {
    const list = await management.client.call(PRICES_V1.listPrices, at('2026-11-21T00:00:00Z'))
    const models = list.prices.map(({ model }) => model)
    expect(models.length).toBeGreaterThan(50)
    expect(models).toContain('gemini-4-argon')
    expect(models).toEqual([...models].sort())
    expect(list.prices.find(({ model }) => model === 'gemini-3.5-transcribe')?.isPriced).toBe(false)
    expect(list.prices.find(({ model }) => model === 'gemini-2.0-flash')?.origin).toBe('package')
  })

  test('knows when a price ends, in the earliest zone, and what calls are charged at', async () => {
    const price = await priceOf('gemini-3.8-flash')
    expect(price).toMatchObject({
      origin: 'shipped',
      isPriced: true,
      endTime: '2026-12-31T10:00:00.000Z',
      fields: { input: { text: 0.75 }, batchFactor: 0.5 },
      tiers: {
        standard: { input: { text: '750000' }, cached: { text: '75000' }, storage: '500000' },
        priority: { input: { text: '1350000' }, storage: '900000' },
        batch: { input: { text: '375000' }, cached: { text: '75000' } },
      },
    })
    expect(price.startTime).toBeUndefined()
    const next = await priceOf('gemini-3.8-flash', '2027-01-02T00:00:00Z')
    expect(next.fields.output).toEqual({ text: 7.5 })
    expect((await priceOf('gemini-2.5-pro')).tiers?.standard?.over200k?.output).toMatchObject({
      text: '15000000',
    })
  })

  test('of a model that nobody knows a price of is 404, whatever it is called', async () => {
    for (const model of ['gemini-99', 'gemini-3.8-flash-preview', '__proto__'])
      await expect(priceOf(model)).rejects.toMatchObject({ httpStatus: 404, reason: 'RESOURCE_NOT_FOUND' })
  })
})

describe('a price that the operator sets', () => {
  test('holds from its time on, over every later one of the list, until it is removed', async () => {
    const model = 'gemini-3.7-flash'
    const answer = await set({
      model,
      effectiveTime: '2026-12-15T00:00:00Z',
      price: { input: { text: 0.5 }, output: { text: 2 }, note: 'contract 7' },
    })
    expect(answer.status).toBe(200)
    expect(answer.json).toMatchObject({ model, effectiveTime: '2026-12-15T00:00:00.000Z' })
    expect(await priceOf(model, '2026-12-14T23:59:59.999Z')).toMatchObject({
      origin: 'shipped',
      endTime: '2026-12-15T00:00:00.000Z',
    })
    for (const time of ['2026-12-15T00:00:00Z', '2026-12-31T20:00:00Z', '2027-06-01T00:00:00Z'])
      expect(await priceOf(model, time)).toMatchObject({
        origin: 'operator',
        fields: { input: { text: 0.5 } },
      })

    const { items } = await management.storage.audit.list({ projectNumber: null, limit: 1, cursor: null })
    expect(items[0]).toMatchObject({
      methodName: 'pollux.v1.Prices.CreatePriceOverride',
      resourceName: answer.json.name,
      principal: 'tokens/admin',
      before: null,
      after: { model, price: { note: 'contract 7' } },
    })

    const twice = await set({ model, effectiveTime: '2026-12-15T00:00:00Z', price: { input: { text: 1 } } })
    expect([twice.status, twice.json.error.status]).toEqual([409, 'ALREADY_EXISTS'])

    const { priceOverrides } = await management.client.call(PRICES_V1.listPriceOverrides, {})
    expect(priceOverrides.map(({ name }) => name)).toContain(answer.json.name)
    const priceOverride = String(answer.json.name).split('/')[1] ?? ''
    await management.client.call(PRICES_V1.deletePriceOverride, { params: { priceOverride } })
    expect(await priceOf(model, '2027-06-01T00:00:00Z')).toMatchObject({ origin: 'shipped' })
    const again = management.client.call(PRICES_V1.deletePriceOverride, { params: { priceOverride } })
    await expect(again).rejects.toMatchObject({ httpStatus: 404 })
  })

  test('says which later prices of the list it holds over', async () => {
    const model = 'gemini-3.6-flash'
    const first = await set({ model, effectiveTime: '2026-11-25T00:00:00Z', price: { input: { text: 0.5 } } })
    expect(first.json.laterPrices).toMatchObject([
      { startTime: '2026-12-31T10:00:00.000Z', fields: { output: { text: 7.5 } } },
    ])
    const effectiveTime = '2026-12-31T10:00:00Z'
    const second = await set({ model, effectiveTime, price: { input: { text: 0.5 }, output: { text: 7.5 } } })
    expect(second.json.laterPrices).toBeUndefined()
    const { priceOverrides } = await management.client.call(PRICES_V1.listPriceOverrides, {})
    const ours = priceOverrides.filter(override => override.model === model)
    expect(ours.map(({ laterPrices }) => laterPrices)).toEqual([undefined, undefined])
    for (const { name } of ours) {
      const priceOverride = name.split('/')[1] ?? ''
      await management.client.call(PRICES_V1.deletePriceOverride, { params: { priceOverride } })
    }
  })

  test('may be for a model that no list has', async () => {
    await set({ model: 'my-own-model', price: { input: { text: 1 }, output: { text: 2 } } })
    const later = new Date(Date.now() + 60_000).toISOString()
    expect(await priceOf('my-own-model', later)).toMatchObject({ origin: 'operator', isPriced: true })
  })

  test.each([
    [{ model: 'models/x', price: { input: { text: 1 } } }, 'model'],
    [{ model: 'x', price: {} }, 'price'],
    [{ model: 'x', price: { input: { text: -1 } } }, 'prices.x'],
    [{ model: 'x', price: { input: { text: 0.0000001 } } }, 'prices.x'],
    [{ model: 'x', price: { input: { smell: 1 } } }, 'price.input'],
    [{ model: 'x', price: { perUnitKind: 'billed', perUnit: { reel: 1 } } }, 'prices.x'],
    [{ model: 'x', price: { input: { text: '1' } } }, 'price.input.text'],
    [{ model: 'x', effectiveTime: 'tomorrow', price: { input: { text: 1 } } }, 'effectiveTime'],
    [{ model: 'x', effectiveTime: '3000-01-01T00:00:00Z', price: { input: { text: 1 } } }, 'effectiveTime'],
    [{ model: 'x', price: { input: { text: 1 }, priorityFactor: 1e-3 * 1.5 } }, 'prices.x'],
    [{ price: { input: { text: 1 } } }, 'model'],
  ])('is refused where it is none: %j names %s', async (body, field) => {
    const answer = await set(body)
    expect(answer.status).toBe(400)
    expect(answer.json.error.message).toContain(field)
    const { priceOverrides } = await management.client.call(PRICES_V1.listPriceOverrides, {})
    expect(priceOverrides.filter(({ model }) => model === 'x')).toEqual([])
  })
})
