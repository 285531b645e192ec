import { describe, expect, it } from 'vitest'
import { parseModelAliases } from './model-alias.ts'

describe('model aliases', () => {
  it('keeps the model without its prefix, and the version if there is one', () => {
    const aliases = {
      'gemini-pro': { model: 'models/gemini-x', apiVersion: 'v1beta' as const },
      fast: { model: 'y' },
    }
    expect(parseModelAliases(aliases)).toEqual({
      'gemini-pro': { model: 'gemini-x', apiVersion: 'v1beta' },
      fast: { model: 'y' },
    })
  })

  it.each([
    ['a/b', 'x'],
    ['a', 'x/../y'],
    ['a', ''],
    ['', 'x'],
    ['a', 'tunedModels/x'],
  ])('refuses %o -> %o, which is no model id', (alias, model) => {
    expect(() => parseModelAliases({ [alias]: { model } })).toThrow(/letters, digits/)
  })

  it('refuses an alias that leads to an alias, or to itself', () => {
    expect(() => parseModelAliases({ a: { model: 'b' }, b: { model: 'c' } })).toThrow(/not to an alias/)
    expect(() => parseModelAliases({ a: { model: 'models/a' } })).toThrow(/not to an alias/)
  })
})
