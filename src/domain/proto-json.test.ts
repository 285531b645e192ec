import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asObject, assertOneSpelling, camelCase, fieldOf, listOf } from './proto-json.ts'

const snakeCase = (name: string) => name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
const names = fc.stringMatching(/^[a-z]{1,8}([A-Z][a-z]{1,8}){0,3}$/)

describe('asObject', () => {
  it.each([[{}], [{ a: 1 }], [Object.create(null)]])('takes %j', value => expect(asObject(value)).toBe(value))
  it.each([[null], [undefined], [[]], ['a'], [1], [true]])('is null for %j', value => {
    expect(asObject(value)).toBeNull()
  })
})

describe('fieldOf', () => {
  it('finds a field under both of its spellings', () => {
    fc.assert(
      fc.property(names, fc.constantFrom(0, '', false, [], {}), (name, value) => {
        expect(fieldOf({ [name]: value }, name)).toBe(value)
        expect(fieldOf({ [snakeCase(name)]: value }, name)).toBe(value)
      }),
    )
  })

  it('reads null as absent, and then the other spelling', () => {
    expect(fieldOf({ maxTokens: null }, 'maxTokens')).toBeUndefined()
    expect(fieldOf({ max_tokens: null }, 'maxTokens')).toBeUndefined()
    expect(fieldOf({ maxTokens: null, max_tokens: 1 }, 'maxTokens')).toBe(1)
  })

  it('finds nothing that an object inherits', () => {
    for (const name of ['constructor', 'toString', '__proto__']) expect(fieldOf({}, name)).toBeUndefined()
  })
})

describe('listOf', () => {
  it.each<[unknown, unknown[]]>([
    [undefined, []],
    [null, []],
    [[], []],
    [
      [1, null],
      [1, null],
    ],
    [{ a: 1 }, [{ a: 1 }]],
    ['', ['']],
    [0, [0]],
  ])('%j is %j', (value, list) => expect(listOf(value)).toEqual(list))
})

describe('assertOneSpelling', () => {
  it('refuses a field under both spellings, and nothing else', () => {
    fc.assert(
      fc.property(fc.uniqueArray(names, { minLength: 1, maxLength: 5 }), fc.nat(), (fields, place) => {
        const object = Object.fromEntries(
          fields.map((name, at) => [at % 2 === 0 ? name : snakeCase(name), at]),
        )
        expect(() => assertOneSpelling(object, 'a')).not.toThrow()
        const twice = fields[place % fields.length] ?? ''
        const clash = { ...object, [twice]: null, [snakeCase(twice)]: null }
        if (snakeCase(twice) === twice) return
        expect(() => assertOneSpelling(clash, 'a')).toThrow(
          expect.objectContaining({
            reason: 'FIELD_AMBIGUOUS',
            message: expect.stringContaining(`a.${twice}`) as string,
          }),
        )
      }),
    )
  })

  it('is not misled by names with odd underscores', () => {
    expect(() => assertOneSpelling({ a_: 1, _: 2, __proto: 3 }, '')).not.toThrow()
    expect(() => assertOneSpelling({ aB: 1, a__b: 2 }, '')).toThrow(
      expect.objectContaining({ reason: 'FIELD_AMBIGUOUS' }),
    )
  })
})

it('camelCase undoes snake_case', () => {
  fc.assert(
    fc.property(names, name => {
      expect(camelCase(snakeCase(name))).toBe(name)
    }),
  )
  expect(camelCase('top_2_results')).toBe('top2Results')
})
