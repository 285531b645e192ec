import { useEffect, useState } from 'react'
import { signIn } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { TextField } from '../ui/field.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Mark } from '../ui/star.tsx'
import './shell.css'

/** The way in for now: a management token, as the command line uses it. */
export function SignIn() {
  const [token, setToken] = useState('')
  const [error, setError] = useState<unknown>(null)
  const [isWorking, setWorking] = useState(false)
  useEffect(() => {
    document.title = 'Sign in · Pollux'
  }, [])
  const enter = (): void => {
    setWorking(true)
    setError(null)
    signIn(token.trim()).catch((cause: unknown) => {
      setError(cause)
      setWorking(false)
    })
  }
  return (
    <main className="door">
      <div className="door__card">
        <div className="door__sky">
          <Mark size={44} />
          <div>
            <h1>Sign in to Pollux</h1>
            <p className="quiet">The console and gateway for Gemini API keys</p>
          </div>
        </div>
        <form
          onSubmit={event => {
            event.preventDefault()
            if (!isWorking) enter()
          }}
        >
          <TextField
            label="Management token"
            type="password"
            autoComplete="current-password"
            autoFocus
            value={token}
            onChange={setToken}
            hint={
              <>
                In the file <code>local-token</code> of the data folder, or what{' '}
                <code>POLLUX_ADMIN_TOKEN</code> was set to. It stays in this tab.
              </>
            }
          />
          {error !== null && <ErrorNotice title="Not signed in" error={error} />}
          <Button type="submit" look="first" isDisabled={token.trim() === '' || isWorking}>
            Sign in
          </Button>
        </form>
      </div>
    </main>
  )
}
