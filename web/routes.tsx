/** Every screen and its address, in one tree. What the list of keys does not need is loaded when it is opened. */
import { Navigate, RouterProvider, createBrowserRouter } from 'react-router'
import { PATHS } from './paths.ts'
import { useIsSignedIn } from './session.ts'
import { KeysScreen } from './keys/keys-screen.tsx'
import { Lost, Stumble } from './shell/lost.tsx'
import { Shell } from './shell/shell.tsx'
import { SignIn } from './shell/sign-in.tsx'

const router = createBrowserRouter([
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
      { path: '*', element: <Lost /> },
    ],
  },
])

export function Routes() {
  return <RouterProvider router={router} />
}

/** The address stays as it is: after the sign-in the screen that was asked for is there. */
function SignedIn() {
  return useIsSignedIn() ? <Shell /> : <SignIn />
}
