/** Light, dark, or as the system says. Remembered in this browser. */
export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

const STORAGE_KEY = 'pollux.theme'

const listeners = new Set<() => void>()

export function currentTheme(): Theme {
  const stored = localStorage.getItem(STORAGE_KEY)
  return THEMES.find(theme => theme === stored) ?? 'system'
}

export function chooseTheme(theme: Theme): void {
  localStorage.setItem(STORAGE_KEY, theme)
  applyTheme()
  for (const listener of listeners) listener()
}

/** Told when somebody chooses, wherever on the page. */
export function onTheme(listener: () => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** Puts the theme on the root element, where tokens.css looks for it. */
export function applyTheme(): void {
  document.documentElement.dataset['theme'] = currentTheme()
}
