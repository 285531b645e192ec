import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useLocation, useNavigate } from 'react-router'
import type { ResponseOf } from '../../src/contract/endpoint.ts'
import { SIGN_IN_V1 } from '../../src/contract/sign-in.v1.ts'
import { keysPath, signInPath } from '../paths.ts'
import { enter, linkQuery, signInQuery } from '../queries.ts'
import { ButtonLink } from '../ui/button.tsx'
import { ErrorNotice, Notice } from '../ui/notice.tsx'
import { Door } from './door.tsx'
import { LinkForm } from './link-form.tsx'
import { Welcome } from './welcome.tsx'

type Accepted = ResponseOf<typeof SIGN_IN_V1.acceptLink>

const TEXTS = {
  SET_UP: { title: 'Set up Pollux', about: 'Whoever does this first owns it' },
  INVITE: { title: 'Come in', about: 'Choose how you will sign in to Pollux' },
  RESET: { title: 'A new way in', about: 'Your other sessions end with it' },
} as const

/** Where links of one use lead: `/set-up`, `/invite` and `/reset`, with the token behind `#`. */
export function LinkScreen() {
  const token = useLocation().hash.slice(1)
  const navigate = useNavigate()
  const { data: link, error } = useQuery({ ...linkQuery(token), enabled: token !== '' })
  const { data: signIn } = useQuery(signInQuery)
  const [accepted, setAccepted] = useState<Accepted | null>(null)
  const goOn = ({ user, session }: Accepted): void => {
    enter({ subject: user.subject, user, session })
    void navigate(keysPath(), { replace: true })
  }
  if (accepted !== null) return <Welcome accepted={accepted} onDone={() => goOn(accepted)} />
  if (token === '' || error !== null) {
    return (
      <Door title="This link does not work" about="Links work once, and not for long">
        {error === null ? (
          <Notice>The address is not whole: what stands behind # is missing. Copy the link once more.</Notice>
        ) : (
          <ErrorNotice title="Nothing was changed" error={error} />
        )}
        <ButtonLink to={signInPath()}>Go to the sign-in</ButtonLink>
      </Door>
    )
  }
  if (link === undefined || signIn === undefined) return null
  return (
    <Door {...TEXTS[link.kind]}>
      <LinkForm
        token={token}
        link={link}
        hasPasskeys={signIn.methods.includes('PASSKEY')}
        onAccepted={done => (done.firstKey === undefined ? goOn(done) : setAccepted(done))}
      />
    </Door>
  )
}
