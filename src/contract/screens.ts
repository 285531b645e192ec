/** First segments of the console's addresses. The server answers them with the console's page; all others are not its. */
const SCREENS = [
  'keys',
  'projects',
  'usage',
  'spend',
  'limits',
  'calls',
  'security',
  'members',
  'audit',
  'settings',
  'sign-in',
  'set-up',
  'invite',
  'reset',
] as const

const SCREEN = new RegExp(`^/(?:${SCREENS.join('|')})(?:/|$)`)

/** Whether a decoded path is the console's: its start, a screen of it, or one of its files. */
export function isConsolePath(path: string): boolean {
  return path === '/' || path === '/favicon.svg' || path.startsWith('/assets/') || SCREEN.test(path)
}
