/**
 * How people get in. Two tables: what a stranger may ask (SIGN_IN_V1), and what one who is signed in may do about their own
 * access (SESSION_V1); users.v1.ts has what an owner may do about that of others. A session travels in a cookie that
 * no script can read; nothing here answers it.
 */
import { z } from 'zod'
import { SIGN_IN_METHODS } from '../domain/session.ts'
import { endpoint } from './endpoint.ts'
import { NO_QUERY, Time, secretInput } from './fields.ts'

export const User = z
  .object({
    name: z.string().meta({ description: '`users/UID`' }),
    email: z.string(),
    displayName: z.string(),
    subject: z.string().meta({ description: 'The member of IAM policies: `user:EMAIL`.' }),
    state: z.enum(['ACTIVE', 'INVITED', 'DISABLED']),
    hasPassword: z.boolean(),
    issuerRoles: z.array(z.string()).optional().meta({
      description:
        "Roles at the organization by the issuer's claims of the last sign-in there; in no policy.",
    }),
    createTime: Time,
    lastSignInTime: Time.optional(),
  })
  .meta({ id: 'User' })

export const Session = z
  .object({
    name: z.string().meta({ description: '`sessions/UID`' }),
    method: z.enum(SIGN_IN_METHODS),
    createTime: Time,
    lastSeenTime: Time,
    expireTime: Time.meta({ description: 'It ends then, unless it is used before.' }),
    proofExpireTime: Time.meta({ description: 'Up to then, nothing asks for a fresh proof.' }),
    callerIp: z.string(),
    userAgent: z.string(),
    isCurrent: z.boolean(),
  })
  .meta({ id: 'Session' })

const SignedIn = z.object({ user: User, session: Session }).meta({ id: 'SignedIn' })

const Passkey = z
  .object({
    name: z.string().meta({ description: '`passkeys/ID`' }),
    displayName: z.string(),
    createTime: Time,
    lastUseTime: Time.optional(),
  })
  .meta({ id: 'Passkey' })

/** For `navigator.credentials`, as JSON (WebAuthn level 3, 5.1.8 and 5.1.9). */
const PasskeyOptions = z
  .object({ challengeId: z.string(), options: z.record(z.string(), z.unknown()) })
  .meta({ id: 'PasskeyOptions' })

/** What the browser's `PublicKeyCredential.toJSON()` gives. */
const PasskeyAnswer = secretInput(
  z.object({
    challengeId: z.string(),
    credential: z.record(z.string(), z.unknown()),
    displayName: z.string().optional().meta({ description: 'What to call a new passkey.' }),
  }),
)

const Password = secretInput(z.string().max(1024))
const LinkToken = secretInput(z.string().max(100)).meta({
  description: 'What stands behind `#` in the link.',
  writeOnly: true,
})
export const EMPTY = z.object({})
const SIGN_IN_ERRORS = ['SIGN_IN_FAILED', 'SIGN_IN_THROTTLED', 'SIGN_IN_DOOR_REFUSED', 'OVERLOADED'] as const

export const SIGN_IN_V1 = {
  getSignIn: endpoint({
    id: 'pollux.v1.signIn.get',
    method: 'GET',
    path: '/pollux/v1/signIn',
    permission: 'anyone',
    query: NO_QUERY,
    body: null,
    response: z.object({
      isSetUp: z.boolean().meta({ description: 'False until the set-up link has been used.' }),
      methods: z.array(z.enum(['PASSWORD', 'PASSKEY', 'OIDC'])),
      issuer: z.string().optional().meta({ description: 'Host of the OpenID Connect issuer.' }),
      refusal: z.string().optional().meta({ description: 'Why nobody can sign in at this address.' }),
    }),
    errors: [],
    audit: null,
    summary: 'Says how one can sign in here.',
  }),
  inspectLink: endpoint({
    id: 'pollux.v1.links.inspect',
    method: 'POST',
    path: '/pollux/v1/links:inspect',
    permission: 'anyone',
    query: NO_QUERY,
    body: z.object({ token: LinkToken }),
    response: z.object({
      kind: z.enum(['SET_UP', 'INVITE', 'RESET']),
      email: z.string().optional().meta({ description: 'Absent for a set-up link: it is asked for.' }),
      displayName: z.string().optional(),
    }),
    errors: ['LINK_INVALID', 'SIGN_IN_THROTTLED', 'SIGN_IN_DOOR_REFUSED'],
    audit: null,
    summary: 'Says what a link is for, without using it up.',
  }),
  startLinkPasskey: endpoint({
    id: 'pollux.v1.links.startPasskey',
    method: 'POST',
    path: '/pollux/v1/links:startPasskey',
    permission: 'anyone',
    query: NO_QUERY,
    body: z.object({ token: LinkToken, email: z.string().optional(), displayName: z.string().optional() }),
    response: PasskeyOptions,
    errors: ['LINK_INVALID', ...SIGN_IN_ERRORS],
    audit: null,
    summary: 'Begins to register a passkey for the person whom a link lets in.',
  }),
  acceptLink: endpoint({
    id: 'pollux.v1.links.accept',
    method: 'POST',
    path: '/pollux/v1/links:accept',
    permission: 'anyone',
    query: NO_QUERY,
    body: z.object({
      token: LinkToken,
      email: z.string().optional().meta({ description: 'Of the owner, with a set-up link.' }),
      displayName: z.string().optional(),
      password: Password.optional(),
      passkey: PasskeyAnswer.optional(),
      acceptedTerms: z.string().max(32).optional().meta({
        description: 'Required with a set-up link: the version of the terms of use that the owner accepts.',
      }),
      replaceFirstKey: z.boolean().optional().meta({
        description: 'With a set-up link: the first key is replaced by a new one, which is answered.',
      }),
    }),
    response: SignedIn.extend({
      defaultProject: z.string().optional(),
      firstKey: z
        .object({
          name: z.string(),
          displayName: z.string(),
          maskedKeyString: z.string(),
          keyString: z.string().optional(),
        })
        .optional(),
    }),
    errors: ['LINK_INVALID', 'STATE_CONFLICT', 'ALREADY_EXISTS', ...SIGN_IN_ERRORS],
    audit: 'pollux.v1.Links.AcceptLink',
    summary: 'Uses a link up: sets password or passkey or both, and signs in.',
  }),
  signInWithPassword: endpoint({
    id: 'pollux.v1.signIn.withPassword',
    method: 'POST',
    path: '/pollux/v1/signIn:withPassword',
    permission: 'anyone',
    query: NO_QUERY,
    body: z.object({ email: z.string().max(254), password: Password }),
    response: SignedIn,
    errors: SIGN_IN_ERRORS,
    audit: 'pollux.v1.SignIn.SignInWithPassword',
    summary: 'Signs in with a password.',
  }),
  startPasskey: endpoint({
    id: 'pollux.v1.signIn.startPasskey',
    method: 'POST',
    path: '/pollux/v1/signIn:startPasskey',
    permission: 'anyone',
    query: NO_QUERY,
    body: EMPTY,
    response: PasskeyOptions,
    errors: SIGN_IN_ERRORS,
    audit: null,
    summary: 'Begins a sign-in with a passkey.',
  }),
  signInWithPasskey: endpoint({
    id: 'pollux.v1.signIn.withPasskey',
    method: 'POST',
    path: '/pollux/v1/signIn:withPasskey',
    permission: 'anyone',
    query: NO_QUERY,
    body: z.object({ passkey: PasskeyAnswer }),
    response: SignedIn,
    errors: SIGN_IN_ERRORS,
    audit: 'pollux.v1.SignIn.SignInWithPasskey',
    summary: 'Signs in with a passkey.',
  }),
  startOidc: endpoint({
    id: 'pollux.v1.signIn.startOidc',
    method: 'POST',
    path: '/pollux/v1/signIn:startOidc',
    permission: 'anyone',
    query: NO_QUERY,
    body: EMPTY,
    response: z.object({
      authorizationUri: z.string().meta({ description: 'Where to send the browser.' }),
    }),
    errors: [...SIGN_IN_ERRORS, 'STATE_CONFLICT', 'ISSUER_UNAVAILABLE'],
    audit: null,
    summary: 'Begins a sign-in, or when one is signed in a fresh proof, at the OpenID Connect issuer.',
  }),
  finishOidc: endpoint({
    id: 'pollux.v1.signIn.finishOidc',
    method: 'POST',
    path: '/pollux/v1/signIn:finishOidc',
    permission: 'anyone',
    query: NO_QUERY,
    body: z.object({
      parameters: secretInput(z.string().max(8_000)).meta({
        description: 'The query with which the issuer sent the browser back to /sign-in/callback.',
        writeOnly: true,
      }),
    }),
    response: SignedIn,
    errors: [...SIGN_IN_ERRORS, 'STATE_CONFLICT', 'ISSUER_UNAVAILABLE'],
    audit: 'pollux.v1.SignIn.SignInWithOidc',
    summary: 'Ends a sign-in at the OpenID Connect issuer.',
  }),
} as const

export const SESSION_V1 = {
  getSession: endpoint({
    id: 'pollux.v1.session.get',
    method: 'GET',
    path: '/pollux/v1/session',
    permission: 'any authenticated',
    query: NO_QUERY,
    body: null,
    response: z.object({ subject: z.string(), user: User.optional(), session: Session.optional() }),
    errors: [],
    audit: null,
    summary: 'Says who asks, and for whom a browser is signed in.',
  }),
  signOut: endpoint({
    id: 'pollux.v1.session.signOut',
    method: 'POST',
    path: '/pollux/v1/session:signOut',
    permission: 'any authenticated',
    query: NO_QUERY,
    body: EMPTY,
    response: EMPTY,
    errors: ['STATE_CONFLICT'],
    audit: 'pollux.v1.Sessions.SignOut',
    summary: 'Ends the session that asks.',
  }),
  startProof: endpoint({
    id: 'pollux.v1.session.startPasskey',
    method: 'POST',
    path: '/pollux/v1/session:startPasskey',
    permission: 'any authenticated',
    query: NO_QUERY,
    body: EMPTY,
    response: PasskeyOptions,
    errors: ['STATE_CONFLICT', 'OVERLOADED'],
    audit: null,
    summary: 'Begins a fresh proof with a passkey.',
  }),
  prove: endpoint({
    id: 'pollux.v1.session.prove',
    method: 'POST',
    path: '/pollux/v1/session:prove',
    permission: 'any authenticated',
    query: NO_QUERY,
    body: z.object({ password: Password.optional(), passkey: PasskeyAnswer.optional() }),
    response: SignedIn,
    errors: ['STATE_CONFLICT', ...SIGN_IN_ERRORS],
    audit: 'pollux.v1.Sessions.Prove',
    summary: 'Proves afresh who is signed in, for what asks for it. The session gets a new id.',
  }),
  changePassword: endpoint({
    id: 'pollux.v1.session.changePassword',
    method: 'POST',
    path: '/pollux/v1/session:changePassword',
    permission: 'any authenticated',
    stepUp: true,
    query: NO_QUERY,
    body: z.object({ password: Password }),
    response: EMPTY,
    errors: ['STATE_CONFLICT', 'OVERLOADED', 'RESOURCE_NOT_FOUND'],
    audit: 'pollux.v1.Users.ChangePassword',
    summary: 'Sets a new password and ends the other sessions.',
  }),
  listSessions: endpoint({
    id: 'pollux.v1.sessions.list',
    method: 'GET',
    path: '/pollux/v1/sessions',
    permission: 'any authenticated',
    query: NO_QUERY,
    body: null,
    response: z.object({ sessions: z.array(Session) }),
    errors: ['STATE_CONFLICT'],
    audit: null,
    summary: 'Lists where one is signed in.',
  }),
  endSession: endpoint({
    id: 'pollux.v1.sessions.end',
    method: 'DELETE',
    path: '/pollux/v1/sessions/{session}',
    permission: 'any authenticated',
    query: NO_QUERY,
    body: null,
    response: EMPTY,
    errors: ['STATE_CONFLICT', 'RESOURCE_NOT_FOUND'],
    audit: 'pollux.v1.Sessions.EndSession',
    summary: 'Ends one of the own sessions. Needs no fresh proof: it only takes access away.',
  }),
  listPasskeys: endpoint({
    id: 'pollux.v1.passkeys.list',
    method: 'GET',
    path: '/pollux/v1/passkeys',
    permission: 'any authenticated',
    query: NO_QUERY,
    body: null,
    response: z.object({ passkeys: z.array(Passkey) }),
    errors: ['STATE_CONFLICT'],
    audit: null,
    summary: 'Lists the own passkeys.',
  }),
  startNewPasskey: endpoint({
    id: 'pollux.v1.passkeys.start',
    method: 'POST',
    path: '/pollux/v1/passkeys:start',
    permission: 'any authenticated',
    stepUp: true,
    query: NO_QUERY,
    body: EMPTY,
    response: PasskeyOptions,
    errors: ['STATE_CONFLICT', 'OVERLOADED'],
    audit: null,
    summary: 'Begins to register a passkey.',
  }),
  createPasskey: endpoint({
    id: 'pollux.v1.passkeys.create',
    method: 'POST',
    path: '/pollux/v1/passkeys',
    permission: 'any authenticated',
    stepUp: true,
    query: NO_QUERY,
    body: z.object({ passkey: PasskeyAnswer }),
    response: Passkey,
    errors: ['STATE_CONFLICT', 'ALREADY_EXISTS', 'RESOURCE_QUOTA_EXCEEDED', 'SIGN_IN_FAILED'],
    audit: 'pollux.v1.Passkeys.CreatePasskey',
    summary: 'Registers a passkey.',
  }),
  deletePasskey: endpoint({
    id: 'pollux.v1.passkeys.delete',
    method: 'DELETE',
    path: '/pollux/v1/passkeys/{passkey}',
    permission: 'any authenticated',
    stepUp: true,
    query: NO_QUERY,
    body: null,
    response: EMPTY,
    errors: ['STATE_CONFLICT', 'RESOURCE_NOT_FOUND'],
    audit: 'pollux.v1.Passkeys.DeletePasskey',
    summary: 'Removes a passkey.',
  }),
} as const
