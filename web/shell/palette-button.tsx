import { Search } from 'lucide-react'
import { Suspense, lazy, useEffect, useState } from 'react'
import { Button as AriaButton } from 'react-aria-components'
import type { Destination } from '../palette/destinations.ts'

const PaletteDialog = lazy(async () => ({
  default: (await import('../palette/palette-dialog.tsx')).PaletteDialog,
}))

const IS_MAC = /Mac|iPhone|iPad/.test(navigator.userAgent)

/** The way to everything by name: by press, or with ⌘K or Ctrl K from anywhere. */
export function PaletteButton({ screens }: { readonly screens: readonly Destination[] }) {
  const [isOpen, setOpen] = useState(false)
  useEffect(() => {
    const hear = (event: KeyboardEvent): void => {
      // Ctrl K on a Mac deletes to the end of the line.
      const [own, other] = IS_MAC ? [event.metaKey, event.ctrlKey] : [event.ctrlKey, event.metaKey]
      if (!own || other || event.altKey || event.shiftKey || event.key.toLowerCase() !== 'k') return
      event.preventDefault()
      setOpen(before => !before)
    }
    addEventListener('keydown', hear)
    return () => removeEventListener('keydown', hear)
  }, [])
  return (
    <>
      <AriaButton className="rail__go" onPress={() => setOpen(true)}>
        <Search aria-hidden />
        <span>Go to…</span>
        <kbd aria-hidden>{IS_MAC ? '⌘K' : 'Ctrl K'}</kbd>
      </AriaButton>
      <Suspense>{isOpen && <PaletteDialog screens={screens} onClose={() => setOpen(false)} />}</Suspense>
    </>
  )
}
