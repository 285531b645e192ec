import { queryOptions, useQuery } from '@tanstack/react-query'
import { useEffect } from 'react'
import { Navigate, useLocation } from 'react-router'
import { SIGN_IN_V1 } from '../../src/contract/sign-in.v1.ts'
import { ownPath, signInPath } from '../paths.ts'
import { enter } from '../queries.ts'
import { stranger } from '../session.ts'
import { ButtonLink } from '../ui/button.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Door } from './door.tsx'
import { wayBack } from './issuer.ts'

/** Once: the issuer's answer is used up by being posted. */
const finishQuery = (parameters: string) =>
  queryOptions({
    queryKey: ['oidc', parameters],
    queryFn: () => stranger.call(SIGN_IN_V1.finishOidc, { body: { parameters } }),
    retry: false,
    staleTime: Infinity,
  })

/** Where the issuer sends the browser back to. */
export function CallbackScreen() {
  const { search } = useLocation()
  const { data: signedIn, error } = useQuery(finishQuery(search.slice(1)))
  useEffect(() => {
    if (signedIn !== undefined) enter({ ...signedIn, subject: signedIn.user.subject })
  }, [signedIn])
  if (signedIn !== undefined) return <Navigate to={ownPath(wayBack())} replace />
  return (
    <Door title="Signing in" about="The issuer's answer is being checked">
      {error !== null && (
        <>
          <ErrorNotice title="Not signed in" error={error} />
          <ButtonLink to={signInPath(ownPath(wayBack()))}>Back to the sign-in</ButtonLink>
        </>
      )}
    </Door>
  )
}
