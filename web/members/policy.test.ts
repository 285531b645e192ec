import { describe, expect, it } from 'vitest'
import { type PlacedPolicy, isLastOwner, membersOf, rolesOf, withBinding, withoutBinding } from './policy.ts'

const ADA = 'user:ada@example.com'
const GRETE = 'user:grete@example.com'
const ROBOT = 'serviceAccount:robot@shop.iam.pollux.internal'

const policy = () => ({
  version: 1,
  etag: 'BwX=',
  bindings: [
    { role: 'roles/owner', members: [ADA] },
    { role: 'roles/viewer', members: [GRETE, ROBOT] },
  ],
})
const placed = (): readonly PlacedPolicy[] => [
  { place: null, policy: policy() },
  { place: 'shop', policy: { etag: 'ACAB', bindings: [{ role: 'roles/editor', members: [GRETE] }] } },
]

describe('a changed policy', () => {
  it('has one binding more, and the etag of what was read', () => {
    const before = policy()
    const after = withBinding(before, 'roles/viewer', ADA)
    expect(after).toEqual({
      ...before,
      bindings: [before.bindings[0], { role: 'roles/viewer', members: [GRETE, ROBOT, ADA] }],
    })
    expect(before).toEqual(policy())
  })

  it('has a role that nobody held before', () => {
    expect(withBinding({ etag: 'ACAB' }, 'roles/editor', ADA)).toEqual({
      etag: 'ACAB',
      bindings: [{ role: 'roles/editor', members: [ADA] }],
    })
  })

  it('names nobody twice', () => {
    expect(withBinding(policy(), 'roles/owner', ADA)).toEqual(policy())
  })

  it('takes exactly one role from exactly one member, however the address is written', () => {
    expect(withoutBinding(policy(), 'roles/viewer', 'user:Grete@Example.com').bindings).toEqual([
      { role: 'roles/owner', members: [ADA] },
      { role: 'roles/viewer', members: [ROBOT] },
    ])
  })

  it('keeps no role without members', () => {
    expect(withoutBinding(policy(), 'roles/owner', ADA).bindings?.map(({ role }) => role)).toEqual([
      'roles/viewer',
    ])
  })
})

describe('who holds what', () => {
  it('is read from every policy', () => {
    expect(rolesOf(GRETE, placed())).toEqual([
      { place: null, role: 'roles/viewer' },
      { place: 'shop', role: 'roles/editor' },
    ])
    expect(membersOf('user', placed())).toEqual([ADA, GRETE])
    expect(membersOf('serviceAccount', placed())).toEqual([ROBOT])
  })

  it('knows the last owner of the organization', () => {
    const two = withBinding(policy(), 'roles/owner', GRETE)
    expect(isLastOwner({ place: null, role: 'roles/owner' }, placed())).toBe(true)
    expect(isLastOwner({ place: null, role: 'roles/owner' }, [{ place: null, policy: two }])).toBe(false)
    expect(isLastOwner({ place: 'shop', role: 'roles/owner' }, placed())).toBe(false)
    expect(isLastOwner({ place: null, role: 'roles/viewer' }, placed())).toBe(false)
  })
})
