/** Every screen and its address, in one tree. What the list of keys does not need is loaded when it is opened. */
import { useQuery } from '@tanstack/react-query'
import { Navigate, createBrowserRouter, useLocation } from 'react-router'
import { RouterProvider } from 'react-router/dom'
import { ProofDialog } from './door/proof-dialog.tsx'
import { PATHS, signInPath } from './paths.ts'
import { whoQuery } from './queries.ts'
import { KeysScreen } from './keys/keys-screen.tsx'
import { Lost, Stumble } from './shell/lost.tsx'
import { Shell } from './shell/shell.tsx'
import { ErrorNotice } from './ui/notice.tsx'

const linkScreen = async () => ({ Component: (await import('./door/link-screen.tsx')).LinkScreen })

const router = createBrowserRouter([
  {
    errorElement: <Stumble />,
    children: [
      {
        path: PATHS.signIn,
        lazy: async () => ({ Component: (await import('./door/sign-in-screen.tsx')).SignInScreen }),
      },
      {
        path: PATHS.signInCallback,
        lazy: async () => ({ Component: (await import('./door/callback-screen.tsx')).CallbackScreen }),
      },
      { path: PATHS.setUp, lazy: linkScreen },
      { path: PATHS.invite, lazy: linkScreen },
      { path: PATHS.reset, lazy: linkScreen },
    ],
  },
  {
    element: <SignedIn />,
    errorElement: <Stumble />,
    children: [
      { index: true, element: <Navigate to={PATHS.keys} replace /> },
      { path: PATHS.keys, element: <KeysScreen /> },
      {
        path: PATHS.newKey,
        lazy: async () => ({ Component: (await import('./keys/create-screen.tsx')).CreateScreen }),
      },
      {
        path: PATHS.key,
        lazy: async () => ({ Component: (await import('./keys/key-screen.tsx')).KeyScreen }),
      },
      {
        path: PATHS.editKey,
        lazy: async () => ({ Component: (await import('./keys/edit-screen.tsx')).EditScreen }),
      },
      {
        path: PATHS.projects,
        lazy: async () => ({ Component: (await import('./projects/projects-screen.tsx')).ProjectsScreen }),
      },
      {
        path: PATHS.project,
        lazy: async () => ({ Component: (await import('./projects/project-screen.tsx')).ProjectScreen }),
      },
      {
        path: PATHS.usage,
        lazy: async () => ({ Component: (await import('./usage/usage-screen.tsx')).UsageScreen }),
      },
      {
        path: PATHS.limits,
        lazy: async () => ({ Component: (await import('./limits/limits-screen.tsx')).LimitsScreen }),
      },
      {
        path: PATHS.tiers,
        lazy: async () => ({ Component: (await import('./limits/tiers-screen.tsx')).TiersScreen }),
      },
      {
        path: PATHS.newTier,
        lazy: async () => ({ Component: (await import('./limits/tier-screen.tsx')).NewTierScreen }),
      },
      {
        path: PATHS.tier,
        lazy: async () => ({ Component: (await import('./limits/tier-screen.tsx')).TierScreen }),
      },
      {
        path: PATHS.members,
        lazy: async () => ({ Component: (await import('./members/people-screen.tsx')).PeopleScreen }),
      },
      {
        path: PATHS.person,
        lazy: async () => ({ Component: (await import('./members/person-screen.tsx')).PersonScreen }),
      },
      {
        path: PATHS.serviceAccounts,
        lazy: async () => ({ Component: (await import('./members/accounts-screen.tsx')).AccountsScreen }),
      },
      {
        path: PATHS.serviceAccount,
        lazy: async () => ({ Component: (await import('./members/account-screen.tsx')).AccountScreen }),
      },
      {
        path: PATHS.roles,
        lazy: async () => ({ Component: (await import('./members/roles-screen.tsx')).RolesScreen }),
      },
      {
        path: PATHS.calls,
        lazy: async () => ({ Component: (await import('./calls/calls-screen.tsx')).CallsScreen }),
      },
      {
        path: PATHS.security,
        lazy: async () => ({ Component: (await import('./security/security-screen.tsx')).SecurityScreen }),
      },
      {
        path: PATHS.spend,
        lazy: async () => ({ Component: (await import('./spend/spend-screen.tsx')).SpendScreen }),
      },
      {
        path: PATHS.prices,
        lazy: async () => ({ Component: (await import('./spend/prices-screen.tsx')).PricesScreen }),
      },
      {
        path: PATHS.audit,
        lazy: async () => ({ Component: (await import('./audit/entries-screen.tsx')).EntriesScreen }),
      },
      {
        path: PATHS.findInAudit,
        lazy: async () => ({ Component: (await import('./audit/find-screen.tsx')).FindScreen }),
      },
      {
        path: PATHS.verifyAudit,
        lazy: async () => ({ Component: (await import('./audit/verify-screen.tsx')).VerifyScreen }),
      },
      {
        path: PATHS.settings,
        lazy: async () => ({
          Component: (await import('./settings/account-screen.tsx')).AccountSettingsScreen,
        }),
      },
      {
        path: PATHS.serverSettings,
        lazy: async () => ({
          Component: (await import('./settings/server-screen.tsx')).ServerSettingsScreen,
        }),
      },
      { path: '*', element: <Lost /> },
    ],
  },
])

export function Routes() {
  return <RouterProvider router={router} />
}

/** Whoever is not signed in, or not any more, goes to the door, which leads back here. */
function SignedIn() {
  const { pathname, search, hash } = useLocation()
  const { data: who, error } = useQuery(whoQuery)
  if (who === null) return <Navigate to={signInPath(`${pathname}${search}${hash}`)} replace />
  if (who !== undefined) {
    return (
      <>
        <Shell who={who} />
        <ProofDialog />
      </>
    )
  }
  if (error === null) return null
  return (
    <main className="shell__main">
      <ErrorNotice title="Pollux does not answer. Load the page again." error={error} />
    </main>
  )
}
