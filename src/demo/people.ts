/** People of the demo with their roles, and a service account. Nobody has a password: each would be let in by a link. */
import { digestOf } from '../domain/digest.ts'
import { maskKeyString, mintKeyString } from '../domain/keystring.ts'
import type { Role } from '../domain/permission.ts'
import { ORGANIZATION } from '../domain/project.ts'
import { accountEmail, accountSubject } from '../domain/service-account.ts'
import { subjectOf } from '../domain/user.ts'
import type { LinkDraft } from '../storage/people.ts'
import type { Storage } from '../storage/storage.ts'
import { OWNER, OWNER_EMAIL, demoEntry } from './entry.ts'
import type { Random } from './random.ts'
import type { Seeded } from './seed.ts'

const DAY_MS = 86_400_000

/** A link for a person to hand out, and the row that will recognise it. */
export type NewInvitation = (userUid: string) => { readonly draft: LinkDraft; readonly link: string }

/** `role`: at the organization. */
const PEOPLE: readonly {
  readonly email: string
  readonly displayName: string
  readonly role: Role | null
}[] = [
  { email: OWNER_EMAIL, displayName: 'Ada Lovelace', role: 'roles/owner' },
  { email: 'grace@example.com', displayName: 'Grace Hopper', role: 'roles/editor' },
  { email: 'emmy@example.com', displayName: 'Emmy Noether', role: 'roles/billing.admin' },
  { email: 'grete@example.com', displayName: 'Grete Hermann', role: 'roles/pollux.auditor' },
  { email: 'karen@example.com', displayName: 'Karen Uhlenbeck', role: null },
  { email: 'sophie@example.com', displayName: 'Sophie Germain', role: null },
]

const PROJECT_ROLES: readonly { readonly project: string; readonly email: string; readonly role: Role }[] = [
  { project: 'web-shop', email: 'karen@example.com', role: 'roles/serviceusage.apiKeysAdmin' },
  { project: 'research', email: 'karen@example.com', role: 'roles/editor' },
  { project: 'media-studio', email: 'sophie@example.com', role: 'roles/viewer' },
]

export interface PeoplePlace {
  readonly storage: Storage
  readonly seeded: Seeded
  readonly random: Random
  readonly nowMs: number
  readonly newInvitation: NewInvitation
}

/** Resolves to the link of the owner. Those of the others are told to nobody. */
export async function addPeople(place: PeoplePlace): Promise<string> {
  const { storage, seeded, random, newInvitation } = place
  let ownerLink = ''
  for (const { email, displayName, role } of PEOPLE) {
    const uid = random.uuid()
    const { draft, link } = newInvitation(uid)
    if (email === OWNER_EMAIL) ownerLink = link
    const audit = demoEntry(OWNER, {
      methodName: 'pollux.v1.Users.InviteUser',
      resourceName: ORGANIZATION,
      projectNumber: null,
    })
    await storage.users.create({ uid, email, displayName, role }, draft, audit)
  }
  for (const { project, email, role } of PROJECT_ROLES) {
    await bind(storage, seeded.projects.get(project)?.number ?? null, { role, member: subjectOf({ email }) })
  }
  await addServiceAccount(place)
  return ownerLink
}

async function bind(
  storage: Storage,
  project: string | null,
  binding: { readonly role: Role; readonly member: string },
): Promise<void> {
  const audit = demoEntry(OWNER, {
    methodName: 'google.cloud.resourcemanager.v3.Projects.SetIamPolicy',
    resourceName: project === null ? ORGANIZATION : `projects/${project}`,
    projectNumber: project,
  })
  await storage.iam.bind({ ...binding, project }, audit)
}

async function addServiceAccount({ storage, seeded, random, nowMs }: PeoplePlace): Promise<void> {
  const projectNumber = seeded.projects.get('web-shop')?.number ?? ''
  const email = accountEmail('deploy', 'web-shop')
  const resourceName = `projects/${projectNumber}/serviceAccounts/${email}`
  const account = await storage.serviceAccounts.create(
    { projectNumber, email, displayName: 'Deployments', description: 'Makes the keys of new releases.' },
    demoEntry(OWNER, {
      methodName: 'pollux.v1.ServiceAccounts.CreateServiceAccount',
      resourceName,
      projectNumber,
    }),
  )
  const role = 'roles/serviceusage.apiKeysAdmin'
  await bind(storage, projectNumber, { role, member: accountSubject(account) })
  const token = mintKeyString('token')
  const draft = {
    accountUid: account.uid,
    uid: random.uuid(),
    displayName: 'Release pipeline',
    maskedToken: maskKeyString(token),
    digest: digestOf(token),
    limits: { permissions: null, project: projectNumber },
    expireTimeMs: nowMs + 60 * DAY_MS,
  }
  const methodName = 'pollux.v1.ServiceAccounts.CreateToken'
  await storage.serviceAccounts.createToken(
    draft,
    demoEntry(OWNER, { methodName, resourceName, projectNumber }),
  )
}
