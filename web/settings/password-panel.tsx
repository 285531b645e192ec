import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { SESSION_V1 } from '../../src/contract/sign-in.v1.ts'
import { useAttempt } from '../door/attempt.ts'
import { problemAt } from '../keys/problem.ts'
import { enter, signInQuery } from '../queries.ts'
import { askWho, client } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { CheckField, TextField } from '../ui/field.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { addToast } from '../ui/toast.tsx'

interface PasswordProps {
  readonly hasPassword: boolean
  readonly email: string
}

/** A new password. Who asks is proven by the dialog of the fresh proof, not by typing the old one here. */
export function PasswordPanel({ hasPassword, email }: PasswordProps) {
  const { data: signIn } = useQuery(signInQuery)
  const [password, setPassword] = useState('')
  const [isShown, setShown] = useState(false)
  const { error, isWorking, attempt } = useAttempt()
  const problem = problemAt(error, 'password')
  const change = async (): Promise<void> => {
    await client.call(SESSION_V1.changePassword, { body: { password } })
    setPassword('')
    addToast({ text: 'The password is set. You are signed out everywhere else.' })
    const who = await askWho()
    if (who !== null) enter(who)
  }
  return (
    <section className="panel" aria-labelledby="password-title">
      <h2 id="password-title">Password</h2>
      {signIn !== undefined && !signIn.methods.includes('PASSWORD') ? (
        <p className="quiet">
          Passwords are off at this address: one signs in
          {signIn.issuer === undefined ? ' elsewhere' : ` at ${signIn.issuer}`}.
        </p>
      ) : (
        <form
          className="dialog__form"
          onSubmit={event => {
            event.preventDefault()
            if (password !== '') attempt(change)
          }}
        >
          <input
            className="unseen"
            type="text"
            autoComplete="username"
            aria-hidden
            tabIndex={-1}
            readOnly
            value={email}
          />
          <TextField
            label="New password"
            type={isShown ? 'text' : 'password'}
            autoComplete="new-password"
            value={password}
            onChange={setPassword}
            problem={problem}
            hint="12 characters or more. It ends all your other sessions, and never expires."
          />
          <CheckField label="Show the password" isChecked={isShown} onChange={setShown} />
          {error !== null && problem === null && <ErrorNotice title="Nothing was changed" error={error} />}
          <div className="actions">
            <Button type="submit" isDisabled={password === '' || isWorking}>
              {hasPassword ? 'Change the password' : 'Set a password'}
            </Button>
          </div>
        </form>
      )}
    </section>
  )
}
