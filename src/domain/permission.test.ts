import {
  type Arbitrary,
  array,
  assert,
  constantFrom,
  option,
  property,
  record,
  uniqueArray,
  tuple,
} from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Grant,
  type Limits,
  ORGANIZATION_OWNER,
  type Permission,
  type Principal,
  allPermissions,
  allRoles,
  holdsAll,
  isMember,
  isWithin,
  mayDo,
  permissionsOf,
  readingPermissions,
  whereMayDo,
} from './permission.ts'

const PROJECTS = ['1', '2', '3']
const place = option(constantFrom(...PROJECTS))
const grant: Arbitrary<Grant> = record({ role: constantFrom(...allRoles()), project: place })
const permission = constantFrom(...allPermissions())
const limits: Arbitrary<Limits> = record({
  permissions: option(uniqueArray(permission, { maxLength: 6 })),
  project: place,
})
const principal: Arbitrary<Principal> = tuple(array(grant, { maxLength: 4 }), option(limits)).map(
  ([grants, limits]) => ({ subject: 'user:a@b.c', grants, ...(limits === null ? {} : { limits }) }),
)

describe('roles', () => {
  it('an owner holds every permission', () => {
    expect([...permissionsOf('roles/owner')]).toEqual(allPermissions())
  })

  it.each([
    'roles/viewer',
    'roles/serviceusage.apiKeysViewer',
    'roles/pollux.auditor',
    'roles/billing.admin',
  ] as const)('%s reveals no keyString', role => {
    expect(permissionsOf(role).has('apikeys.keys.getKeyString')).toBe(false)
  })

  it('only owners change policies', () => {
    for (const name of [
      'resourcemanager.projects.setIamPolicy',
      'resourcemanager.organizations.setIamPolicy',
    ] as const) {
      expect(allRoles().filter(role => permissionsOf(role).has(name))).toEqual(['roles/owner'])
    }
  })

  it.each(['roles/viewer', 'roles/pollux.auditor'] as const)('%s changes nothing', role => {
    const changes = [...permissionsOf(role)].filter(name => !readingPermissions().includes(name))
    expect(changes).toEqual([])
  })

  it('reading permissions change and reveal nothing', () => {
    expect(readingPermissions().filter(name => /create|update|delete|set|able|KeyString/.test(name))).toEqual(
      [],
    )
  })
})

describe('a principal', () => {
  const holder = (grants: readonly Grant[], limits?: Limits): Principal => ({
    subject: 'user:a@b.c',
    grants,
    ...(limits === undefined ? {} : { limits }),
  })
  const read: Permission = 'apikeys.keys.list'
  const cases: readonly (readonly [string, Principal, string | null, boolean])[] = [
    ['a role at the organization holds there', holder(ORGANIZATION_OWNER), null, true],
    ['and in every project', holder(ORGANIZATION_OWNER), '7', true],
    ['a role in a project holds there', holder([{ role: 'roles/owner', project: '7' }]), '7', true],
    ['but not in another', holder([{ role: 'roles/owner', project: '7' }]), '77', false],
    ['nor at the organization', holder([{ role: 'roles/owner', project: '7' }]), null, false],
    ['nothing granted is nothing held', holder([]), '7', false],
    [
      'a limit to other permissions leaves nothing',
      holder(ORGANIZATION_OWNER, { permissions: ['apikeys.keys.get'], project: null }),
      '7',
      false,
    ],
    [
      'a limit to no permission leaves nothing',
      holder(ORGANIZATION_OWNER, { permissions: [], project: null }),
      '7',
      false,
    ],
    [
      'a limit to a project leaves that project',
      holder(ORGANIZATION_OWNER, { permissions: null, project: '7' }),
      '7',
      true,
    ],
    [
      'and not the organization',
      holder(ORGANIZATION_OWNER, { permissions: null, project: '7' }),
      null,
      false,
    ],
    ['a limit grants nothing', holder([], { permissions: [read], project: '7' }), '7', false],
  ]
  it.each(cases)('%s', (_, principal, project, expected) => {
    expect(mayDo(principal, read, project)).toBe(expected)
  })

  it('may do somewhere exactly where it may do', () => {
    assert(
      property(principal, permission, (principal, permission) => {
        const where = whereMayDo(principal, permission)
        const allowed = PROJECTS.filter(project => mayDo(principal, permission, project))
        if (where === 'everywhere') expect(allowed).toEqual(PROJECTS)
        else expect([...where].sort()).toEqual(allowed)
        for (const project of allowed) expect(isMember(principal, project)).toBe(true)
      }),
    )
  })

  it('gains nothing by a limit, and a limit within another gains nothing over it', () => {
    assert(
      property(principal, limits, limits, permission, place, (anyone, inner, outer, permission, project) => {
        const narrowed = mayDo({ ...anyone, limits: inner }, permission, project)
        const { limits: _, ...unlimited } = anyone
        if (narrowed) expect(mayDo(unlimited, permission, project)).toBe(true)
        if (narrowed && isWithin(inner, outer)) {
          expect(mayDo({ ...anyone, limits: outer }, permission, project)).toBe(true)
        }
      }),
    )
  })

  it('holds all of a role only where a grant of it would add nothing', () => {
    assert(
      property(principal, grant, permission, place, (anyone, given, permission, project) => {
        if (!holdsAll(anyone, given)) return
        const more = { ...anyone, grants: [...anyone.grants, given] }
        expect(mayDo(more, permission, project)).toBe(mayDo(anyone, permission, project))
      }),
    )
  })
})
