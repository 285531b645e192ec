import { useQuery } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'
import { Link } from 'react-router'
import { PATHS, personPath } from '../paths.ts'
import { whoQuery } from '../queries.ts'
import type { Who } from '../session.ts'
import { THEMES, chooseTheme, currentTheme, onTheme } from '../theme/theme.ts'
import { CopyButton } from '../ui/copy-button.tsx'
import { RadioField } from '../ui/field.tsx'
import { SettingsFrame } from './frame.tsx'
import { PasskeysPanel } from './passkeys-panel.tsx'
import { PasswordPanel } from './password-panel.tsx'

/** What is about the person who looks, and nobody else. */
export function AccountSettingsScreen() {
  const { data: who } = useQuery(whoQuery)
  const user = who?.user
  return (
    <SettingsFrame title="My account" about="How you sign in, and how this browser shows the console.">
      <div className="key">
        <div className="key__column">
          {who !== undefined && who !== null && <Identity who={who} />}
          <Appearance />
        </div>
        {user !== undefined && (
          <div className="key__column">
            <PasswordPanel hasPassword={user.hasPassword} email={user.email} />
            <PasskeysPanel />
          </div>
        )}
      </div>
    </SettingsFrame>
  )
}

function Identity({ who: { subject, user, session } }: { readonly who: Who }) {
  if (user === undefined) {
    return (
      <section className="panel" aria-labelledby="identity-title">
        <h2 id="identity-title">A management token</h2>
        <p className="quiet">
          You are here as <code>{subject}</code>. A token has no password, no passkeys and no sessions; it
          stays in this tab until you sign out.
        </p>
      </section>
    )
  }
  return (
    <section className="panel" aria-labelledby="identity-title">
      <h2 id="identity-title">{user.displayName}</h2>
      <dl className="facts">
        <dt>E-mail address</dt>
        <dd>{user.email}</dd>
        <dt>In policies</dt>
        <dd>
          <code>{user.subject}</code> <CopyButton text={user.subject} label="Copy the member" />
        </dd>
        {session !== undefined && (
          <>
            <dt>Signed in by</dt>
            <dd>{session.method}</dd>
          </>
        )}
      </dl>
      <p>
        <Link to={personPath(user.email)}>My roles</Link> ·{' '}
        <Link to={PATHS.security}>Where I am signed in</Link>
      </p>
    </section>
  )
}

const THEME_TEXT = { system: 'As the system', light: 'Light', dark: 'Dark' } as const

function Appearance() {
  const theme = useSyncExternalStore(onTheme, currentTheme)
  return (
    <section className="panel" aria-labelledby="appearance-title">
      <h2 id="appearance-title">Appearance</h2>
      <RadioField
        legend="Colours in this browser"
        value={theme}
        onChange={value => chooseTheme(THEMES.find(other => other === value) ?? 'system')}
        options={THEMES.map(value => [value, THEME_TEXT[value]])}
      />
    </section>
  )
}
