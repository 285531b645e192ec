import { describe, expect, it } from 'vitest'
import { parseIdentityRule, rolesOfIdentity } from './identity-roles.ts'

const rules = ['Example.com=roles/viewer', 'group:ops=roles/editor', 'example.com=roles/editor']
  .map(parseIdentityRule)
  .filter(rule => rule !== null)

describe('a rule', () => {
  it.each([
    'example.com',
    'example.com=owner',
    'example.com=roles/none-such',
    '*=roles/owner',
    '=roles/owner',
    'group:=roles/owner',
    'com=roles/owner',
  ])('%s is none', text => expect(parseIdentityRule(text)).toBeNull())
})

describe('an identity', () => {
  it.each([
    ['ada@example.com', [], ['roles/viewer', 'roles/editor']],
    ['ADA@EXAMPLE.COM', ['ops'], ['roles/viewer', 'roles/editor']],
    ['ada@other.example', ['ops'], ['roles/editor']],
    ['ada@sub.example.com', [], []],
    ['ada@evilexample.com', [], []],
    ['"x@example.com"@evil.example', [], []],
    ['ada@other.example', ['OPS', 'example.com'], []],
  ])('%s in %j has the roles %j', (email, groups, roles) => {
    expect(rolesOfIdentity(rules, { email, groups })).toEqual(roles)
  })
})
