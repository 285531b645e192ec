/** Links of one use: the first owner's, those of invited people, and those for who cannot sign in any more. */
import { randomUUID } from 'node:crypto'
import type { BodyOf, ResponseOf } from '../contract/endpoint.ts'
import type { SIGN_IN_V1 } from '../contract/sign-in.v1.ts'
import { digestOf } from '../domain/digest.ts'
import { ApiError, invalidField } from '../domain/error.ts'
import { isKeyString, mintKeyString } from '../domain/keystring.ts'
import { DEFAULT_PROJECT_ID } from '../domain/project.ts'
import { TERMS_VERSION } from '../domain/terms.ts'
import { canonicalEmail, displayNameOf } from '../domain/user.ts'
import type { LinkDraft, LinkKind, UserDraft } from '../storage/people.ts'
import { APIKEYS_V2 } from '../contract/apikeys.v2.ts'
import { principalOf } from './authenticate.ts'
import type { AnyCall, Handlers } from './call.ts'
import { createKey, deleteKey } from './keys.ts'
import { registerPasskey, startRegistration } from './passkeys.ts'
import { assertStrongPassword, hashPassword } from './passwords.ts'
import { type PeopleContext, greetBrowser, newSession, refuseBesideOidc, signInEntry } from './sessions.ts'
import { countAddress } from './throttle.ts'

const HOUR_MS = 3_600_000

const LIFE_MS: Readonly<Record<LinkKind, number>> = { setUp: HOUR_MS, invite: 72 * HOUR_MS, reset: HOUR_MS }

/** Pages of the console. What stands behind `#` is not sent to any server, so it is in no log. */
const PAGES: Readonly<Record<LinkKind, string>> = { setUp: '/set-up', invite: '/invite', reset: '/reset' }

const KINDS = { setUp: 'SET_UP', invite: 'INVITE', reset: 'RESET' } as const

/** A link to hand out, and the row that will recognise it. */
export function newLink(
  kind: LinkKind,
  userUid: string | null,
  { origin, nowMs }: { readonly origin: string; readonly nowMs: number },
): { readonly draft: LinkDraft; readonly link: string } {
  const token = mintKeyString('link')
  const draft = { digest: digestOf(token), kind, userUid, expireTimeMs: nowMs + LIFE_MS[kind] }
  return { draft, link: `${origin}${PAGES[kind]}#${token}` }
}

type LinkMethods = 'inspectLink' | 'startLinkPasskey' | 'acceptLink'

export function linkHandlers(context: PeopleContext): Pick<Handlers<typeof SIGN_IN_V1>, LinkMethods> {
  return {
    async inspectLink(call) {
      const { kind, user } = await requireLink(context, call, call.body.token)
      return {
        kind: KINDS[kind],
        ...(user === null ? {} : { email: user.email, displayName: user.displayName }),
      }
    },
    async startLinkPasskey(call) {
      refuseBesideOidc(context)
      const { token, email, displayName } = call.body
      const { user } = await requireLink(context, call, token)
      const draft = user ?? ownerOf({ email, displayName })
      return await startRegistration(context, call, { user: draft, holder: digestOf(token) })
    },
    acceptLink: call => acceptLink(context, call, call.body),
  }
}

/** Throws LINK_INVALID. Counted by address: a link cannot be guessed, but trying has a price all the same. */
async function requireLink(context: PeopleContext, call: AnyCall, token: string) {
  const { storage, now } = context
  await countAddress({ signIns: storage.signIns, now }, call.callerIp)
  const found = isKeyString(token, 'link') ? await storage.links.find(digestOf(token), now()) : null
  if (found === null || (found.user !== null && found.user.disabledTimeMs !== null)) throw linkInvalid()
  return found
}

function linkInvalid(): ApiError {
  return new ApiError(
    'LINK_INVALID',
    'The link was used, replaced, or is too old. Ask an owner for a new one; for the set-up, run `pollux setup-link` on the machine of the server.',
  )
}

function ownerOf({
  email,
  displayName,
}: {
  email?: string | undefined
  displayName?: string | undefined
}): UserDraft {
  if (email === undefined) throw invalidField('email', 'is required: the link does not say whose it is')
  const address = canonicalEmail(email)
  return { uid: randomUUID(), email: address, displayName: displayNameOf(displayName ?? address) }
}

type AcceptBody = BodyOf<(typeof SIGN_IN_V1)['acceptLink']>

/** Judges everything first, so that a password that is too short does not use the link up. */
async function acceptLink(
  context: PeopleContext,
  call: AnyCall,
  body: AcceptBody,
): Promise<ResponseOf<(typeof SIGN_IN_V1)['acceptLink']>> {
  const { storage, now } = context
  refuseBesideOidc(context)
  const { kind, user: invited } = await requireLink(context, call, body.token)
  const { password, passkey: answer } = body
  if (kind === 'setUp') assertTerms(body)
  if (password === undefined && answer === undefined) {
    throw invalidField('password', 'set a password, a passkey, or both')
  }
  const drafted = invited ?? ownerOf(body)
  if (password !== undefined) await assertStrongPassword(password, [drafted.email, drafted.displayName])
  const digest = digestOf(body.token)
  const passkey =
    answer === undefined ? null : await registerPasskey(context, call, { answer, holder: digest })
  // The passkey was made for this uid; the person is made with it.
  const person = invited ?? { ...drafted, uid: passkey?.userUid ?? drafted.uid }
  const passwordHash = password === undefined ? null : await hashPassword(password)
  const { draft, sessionId } = newSession(
    call,
    { userUid: person.uid, method: 'link', passwordHash: null },
    now(),
  )
  const signer = { ...call, principal: { subject: `user:${person.email}`, grants: [] } }
  const terms = kind === 'setUp' ? { acceptedTerms: TERMS_VERSION } : {}
  const what = { outcome: 'SIGNED_IN', link: KINDS[kind], session: `sessions/${draft.uid}`, ...terms }
  const entry = { ...signInEntry(signer, null, what), resourceName: `users/${person.uid}` }
  const outcome = { user: invited === null ? person : null, passwordHash, passkey, session: draft }
  const user = await storage.links.accept({ digest, nowMs: now() }, outcome, entry)
  if (user === null) throw linkInvalid()
  const reply = await greetBrowser(context, call, { user, draft, sessionId })
  if (kind !== 'setUp') return reply
  const owner = { ...call, principal: await principalOf(user, storage.iam) }
  return { ...reply, defaultProject: DEFAULT_PROJECT_ID, ...(await firstKeyOf(context, owner, body)) }
}

/** Throws FIELD_INVALID unless the owner accepts the terms as they are now. */
function assertTerms({ acceptedTerms }: AcceptBody): void {
  if (acceptedTerms === TERMS_VERSION) return
  throw invalidField(
    'acceptedTerms',
    `must be ${TERMS_VERSION}: the owner accepts the terms of use of this version (docs/terms.md)`,
  )
}

const FIRST_KEY_ID = 'first-key'

/** The first key of the default project, replaced if that was asked for: the terminal that showed it may have a log. */
async function firstKeyOf(
  context: PeopleContext,
  call: AnyCall,
  { replaceFirstKey = false }: AcceptBody,
): Promise<Pick<ResponseOf<(typeof SIGN_IN_V1)['acceptLink']>, 'firstKey'>> {
  const { storage, now } = context
  const project = await storage.projects.find(DEFAULT_PROJECT_ID)
  const key = project === null ? null : await storage.keys.find(project.number, FIRST_KEY_ID)
  if (project === null || key === null || key.deleteTimeMs !== null) return {}
  const parent = `projects/${project.projectId}/locations/global/keys`
  const { displayName, maskedKeyString } = key
  if (!replaceFirstKey)
    return { firstKey: { name: `${parent}/${FIRST_KEY_ID}`, displayName, maskedKeyString } }
  const made = await createKey(
    { storage, now },
    { ...call, endpoint: APIKEYS_V2.createKey },
    { project: project.projectId, keyId: undefined, body: { displayName }, operation: null },
  )
  const deletion = { ...call, endpoint: APIKEYS_V2.deleteKey }
  await deleteKey({ storage, now }, deletion, {
    params: { project: project.projectId, key: FIRST_KEY_ID },
    query: {},
    operation: null,
  })
  return {
    firstKey: {
      name: `${parent}/${made.key.keyId}`,
      displayName: made.key.displayName,
      maskedKeyString: made.key.maskedKeyString,
      keyString: made.keyString,
    },
  }
}
