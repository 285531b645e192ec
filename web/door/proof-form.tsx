import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useLocation } from 'react-router'
import type { BodyOf } from '../../src/contract/endpoint.ts'
import { SESSION_V1 } from '../../src/contract/sign-in.v1.ts'
import { passkeysQuery, signInQuery, whoQuery } from '../queries.ts'
import { client } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { TextField } from '../ui/field.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { goToIssuer } from './issuer.ts'
import { hasPasskeys, askPasskey } from './passkey.ts'
import { answerProof } from './proof.ts'
import { useAttempt } from './attempt.ts'

/** Asks again for what one signs in with. A right answer lets the request that waits go on. */
export function ProofForm() {
  const { pathname, search } = useLocation()
  const { data: who } = useQuery(whoQuery)
  const { data: signIn } = useQuery(signInQuery)
  const { data: passkeys = [] } = useQuery(passkeysQuery)
  const [password, setPassword] = useState('')
  const { error, isWorking, attempt } = useAttempt()
  const methods = signIn?.methods ?? []
  const hasPassword = who?.user?.hasPassword === true && methods.includes('PASSWORD')
  const prove = async (body: BodyOf<typeof SESSION_V1.prove>): Promise<void> => {
    await client.call(SESSION_V1.prove, { body })
    answerProof(true)
  }
  const byPasskey = async (): Promise<void> =>
    prove({ passkey: await askPasskey(await client.call(SESSION_V1.startProof, { body: {} })) })
  return (
    <Dialog title="Is it still you?" onClose={() => answerProof(false)} isForm>
      <form
        className="dialog__form"
        onSubmit={event => {
          event.preventDefault()
          if (hasPassword && password !== '') attempt(() => prove({ password }))
        }}
      >
        <p>
          This asks for a proof of the last ten minutes, so that a browser left open cannot do it. It goes on
          by itself afterwards.
        </p>
        {hasPassword && (
          <>
            <input
              className="unseen"
              type="text"
              autoComplete="username"
              aria-hidden
              tabIndex={-1}
              readOnly
              value={who.user?.email}
            />
            <TextField
              label="Password"
              type="password"
              autoComplete="current-password"
              autoFocus
              value={password}
              onChange={setPassword}
            />
          </>
        )}
        {error !== null && <ErrorNotice title="Not proven" error={error} />}
        <div className="actions">
          <Button onPress={() => answerProof(false)}>Cancel</Button>
          {methods.includes('OIDC') && (
            <Button isDisabled={isWorking} onPress={() => attempt(() => goToIssuer(`${pathname}${search}`))}>
              Go to {signIn?.issuer} and come back
            </Button>
          )}
          {methods.includes('PASSKEY') && hasPasskeys() && passkeys.length > 0 && (
            <Button isDisabled={isWorking} onPress={() => attempt(byPasskey)}>
              Use a passkey
            </Button>
          )}
          {hasPassword && (
            <Button type="submit" look="first" isDisabled={password === '' || isWorking}>
              Go on
            </Button>
          )}
        </div>
      </form>
    </Dialog>
  )
}
