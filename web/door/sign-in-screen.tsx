import { useQuery } from '@tanstack/react-query'
import { KeySquare, LogIn } from 'lucide-react'
import { useState } from 'react'
import { Navigate, useSearchParams } from 'react-router'
import type { ResponseOf } from '../../src/contract/endpoint.ts'
import { SIGN_IN_V1 } from '../../src/contract/sign-in.v1.ts'
import { ownPath } from '../paths.ts'
import { enter, signInQuery, whoQuery } from '../queries.ts'
import { signInByToken, stranger } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { TextField } from '../ui/field.tsx'
import { ErrorNotice, Notice } from '../ui/notice.tsx'
import { useAttempt } from './attempt.ts'
import { Door } from './door.tsx'
import { goToIssuer } from './issuer.ts'
import { askPasskey, hasPasskeys } from './passkey.ts'

type SignIn = ResponseOf<typeof SIGN_IN_V1.getSignIn>
type SignedIn = ResponseOf<typeof SIGN_IN_V1.signInWithPassword>

/** The ways in that this address has, and from there to where one wanted to go (`to`). */
export function SignInScreen() {
  const [search] = useSearchParams()
  const to = ownPath(search.get('to') ?? '/')
  const { data: who, isPending } = useQuery(whoQuery)
  const { data: signIn, error } = useQuery(signInQuery)
  if (who !== undefined && who !== null) return <Navigate to={to} replace />
  if (isPending) return null
  return (
    <Door title="Sign in to Pollux" about="The console and gateway for Gemini API keys">
      {error !== null && <ErrorNotice title="Pollux does not answer" error={error} />}
      {signIn !== undefined && <Ways signIn={signIn} to={to} />}
      <ByToken />
    </Door>
  )
}

function Ways({ signIn, to }: { readonly signIn: SignIn; readonly to: string }) {
  const { error, isWorking, attempt } = useAttempt()
  const { isSetUp, methods, issuer, refusal } = signIn
  if (refusal !== undefined) return <Notice>{refusal}</Notice>
  const hasIssuer = methods.includes('OIDC')
  if (!isSetUp && !hasIssuer) {
    return (
      <Notice>
        <h2>Nobody owns this Pollux yet</h2>
        <p>
          Open the set-up link that its first start printed. <code>pollux setup-link</code> on its machine
          makes a new one.
        </p>
      </Notice>
    )
  }
  const hasPassword = methods.includes('PASSWORD')
  const isPasskeyOffered = methods.includes('PASSKEY') && hasPasskeys()
  const byPasskey = async (): Promise<void> => {
    const passkey = await askPasskey(await stranger.call(SIGN_IN_V1.startPasskey, { body: {} }))
    admit(await stranger.call(SIGN_IN_V1.signInWithPasskey, { body: { passkey } }))
  }
  return (
    <>
      {hasPassword && <ByPassword />}
      <div className="door__ways">
        {hasPassword && (hasIssuer || isPasskeyOffered) && <p className="door__or">or</p>}
        {hasIssuer && (
          <Button
            look={hasPassword ? 'plain' : 'first'}
            isDisabled={isWorking}
            onPress={() => attempt(() => goToIssuer(to))}
          >
            <LogIn aria-hidden />
            Continue at {issuer}
          </Button>
        )}
        {isPasskeyOffered && (
          <Button isDisabled={isWorking} onPress={() => attempt(byPasskey)}>
            <KeySquare aria-hidden />
            Use a passkey
          </Button>
        )}
        {error !== null && <ErrorNotice title="Not signed in" error={error} />}
      </div>
    </>
  )
}

function ByPassword() {
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const { error, isWorking, attempt } = useAttempt()
  const isFilled = email.trim() !== '' && password !== ''
  const send = async (): Promise<void> =>
    admit(await stranger.call(SIGN_IN_V1.signInWithPassword, { body: { email: email.trim(), password } }))
  return (
    <form
      noValidate
      onSubmit={event => {
        event.preventDefault()
        if (isFilled) attempt(send)
      }}
    >
      <TextField
        label="E-mail address"
        type="email"
        autoComplete="username"
        autoFocus
        value={email}
        onChange={setEmail}
      />
      <TextField
        label="Password"
        type="password"
        autoComplete="current-password"
        value={password}
        onChange={setPassword}
      />
      {error !== null && <ErrorNotice title="Not signed in" error={error} />}
      <Button type="submit" look="first" isDisabled={!isFilled || isWorking}>
        Sign in
      </Button>
    </form>
  )
}

/** For whoever has the machine: it works before anybody is set up, and when the issuer is down. */
function ByToken() {
  const [token, setToken] = useState('')
  const { error, isWorking, attempt } = useAttempt()
  return (
    <details className="door__token">
      <summary>Use a management token instead</summary>
      <form
        onSubmit={event => {
          event.preventDefault()
          attempt(async () => enter(await signInByToken(token.trim())))
        }}
      >
        <TextField
          label="Management token"
          type="password"
          value={token}
          onChange={setToken}
          hint={
            <>
              In the file <code>local-token</code> of the data folder, or what <code>POLLUX_ADMIN_TOKEN</code>{' '}
              was set to. It stays in this tab.
            </>
          }
        />
        {error !== null && <ErrorNotice title="Not signed in" error={error} />}
        <Button type="submit" isDisabled={token.trim() === '' || isWorking}>
          Sign in with the token
        </Button>
      </form>
    </details>
  )
}

/** The door opens by itself: it leads on whoever is signed in. */
function admit(signedIn: SignedIn): void {
  enter({ ...signedIn, subject: signedIn.user.subject })
}
