import { useState } from 'react'
import type { ResponseOf } from '../../src/contract/endpoint.ts'
import { SIGN_IN_V1 } from '../../src/contract/sign-in.v1.ts'
import { TERMS, TERMS_VERSION } from '../../src/domain/terms.ts'
import { problemAt } from '../keys/problem.ts'
import { stranger } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { CheckField, TextField } from '../ui/field.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { useAttempt } from './attempt.ts'
import { type PasskeyAnswer, hasPasskeys as browserHasPasskeys, makePasskey } from './passkey.ts'

type Link = ResponseOf<typeof SIGN_IN_V1.inspectLink>

interface LinkFormProps {
  readonly token: string
  readonly link: Link
  /** Whether this address has passkeys. */
  readonly hasPasskeys: boolean
  readonly onAccepted: (accepted: ResponseOf<typeof SIGN_IN_V1.acceptLink>) => void
}

const VERBS = { SET_UP: 'Set up and sign in', INVITE: 'Sign in', RESET: 'Set and sign in' } as const

const STRENGTH_HINT =
  '12 characters or more: several words that do not belong together, or what a password manager makes.'
const ALONE_HINT = 'Leave it empty to sign in with the passkey only.'

/** A password, a passkey, or both; of the first owner the address as well. Nothing is used up by a refusal. */
export function LinkForm({ token, link, hasPasskeys, onAccepted }: LinkFormProps) {
  const isSetUp = link.kind === 'SET_UP'
  const [email, setEmail] = useState(link.email ?? '')
  const [displayName, setDisplayName] = useState('')
  const [password, setPassword] = useState('')
  const [isShown, setShown] = useState(false)
  const [wantsPasskey, setWantsPasskey] = useState(false)
  const [acceptsTerms, setAcceptsTerms] = useState(false)
  const [made, setMade] = useState<PasskeyAnswer | null>(null)
  const { error, isWorking, attempt } = useAttempt()
  const person = isSetUp
    ? { email: email.trim(), ...(displayName.trim() === '' ? {} : { displayName: displayName.trim() }) }
    : {}
  const passkeyOf = async (): Promise<PasskeyAnswer> => {
    const options = await stranger.call(SIGN_IN_V1.startLinkPasskey, { body: { token, ...person } })
    const passkey = await makePasskey(options)
    // Kept for another try: a password that is refused does not use it up.
    setMade(passkey)
    return passkey
  }
  const accept = async (): Promise<void> => {
    const body = {
      token,
      ...person,
      ...(password === '' ? {} : { password }),
      ...(wantsPasskey ? { passkey: made ?? (await passkeyOf()) } : {}),
      ...(isSetUp ? { acceptedTerms: TERMS_VERSION } : {}),
    }
    onAccepted(await stranger.call(SIGN_IN_V1.acceptLink, { body }))
  }
  const isFilled = email.trim() !== '' && (password !== '' || wantsPasskey) && (acceptsTerms || !isSetUp)
  const [emailProblem, passwordProblem] = [problemAt(error, 'email'), problemAt(error, 'password')]
  const isElsewhere = error !== null && emailProblem === null && passwordProblem === null
  return (
    <form
      noValidate
      onSubmit={event => {
        event.preventDefault()
        if (isFilled) attempt(accept)
      }}
    >
      <TextField
        label="E-mail address"
        type="email"
        autoComplete="username"
        autoFocus={isSetUp}
        readOnly={!isSetUp}
        value={email}
        onChange={value => {
          setEmail(value)
          setMade(null)
        }}
        problem={emailProblem}
      />
      {isSetUp && (
        <TextField
          label="Name"
          autoComplete="name"
          value={displayName}
          onChange={setDisplayName}
          hint="As others see it. The address, if you leave it empty."
        />
      )}
      <TextField
        label="Password"
        type={isShown ? 'text' : 'password'}
        autoComplete="new-password"
        autoFocus={!isSetUp}
        value={password}
        onChange={setPassword}
        problem={passwordProblem}
        hint={passwordProblem === null && (wantsPasskey ? ALONE_HINT : STRENGTH_HINT)}
      />
      <CheckField label="Show the password" isChecked={isShown} onChange={setShown} />
      {hasPasskeys && browserHasPasskeys() && (
        <CheckField
          label={made === null ? 'Make a passkey on this device' : 'The passkey that was just made'}
          isChecked={wantsPasskey}
          onChange={setWantsPasskey}
        />
      )}
      {isSetUp && (
        <>
          <details className="door__terms">
            <summary>Terms of use, version {TERMS_VERSION}</summary>
            <ol>
              {TERMS.map(point => (
                <li key={point}>{point}</li>
              ))}
            </ol>
          </details>
          <CheckField
            label="I have read the terms of use and accept them"
            isChecked={acceptsTerms}
            onChange={setAcceptsTerms}
          />
        </>
      )}
      {isElsewhere && <ErrorNotice title="Not set up" error={error} />}
      <Button type="submit" look="first" isDisabled={!isFilled || isWorking}>
        {VERBS[link.kind]}
      </Button>
    </form>
  )
}
