import { Check, Copy } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { Button, IconButton } from './button.tsx'
import { addToast } from './toast.tsx'

const SHOWN_MS = 1_500

interface CopyProps {
  /** What goes to the clipboard, without a newline at its end. */
  readonly text: string
  readonly label: string
  readonly onCopied?: () => void
}

/** Copies a text; says so for a moment. */
export function CopyButton({ text, label, onCopied }: CopyProps) {
  const [isCopied, copy] = useCopy(text, onCopied)
  return (
    <IconButton label={isCopied ? 'Copied' : label} onPress={copy}>
      {isCopied ? <Check aria-hidden /> : <Copy aria-hidden />}
    </IconButton>
  )
}

/** The same with its label in sight. */
export function CopyTextButton({ text, label, onCopied }: CopyProps) {
  const [isCopied, copy] = useCopy(text, onCopied)
  return (
    <Button look="first" onPress={copy}>
      {isCopied ? <Check aria-hidden /> : <Copy aria-hidden />}
      {isCopied ? 'Copied' : label}
    </Button>
  )
}

function useCopy(text: string, onCopied: (() => void) | undefined): readonly [boolean, () => void] {
  const [isCopied, setCopied] = useState(false)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text)
    } catch {
      // Browsers give the clipboard to pages of a safe origin only.
      addToast({ text: 'The browser refused to copy. Select the text and copy it yourself.' })
      return
    }
    setCopied(true)
    timer.current = setTimeout(() => setCopied(false), SHOWN_MS)
    onCopied?.()
  }
  return [isCopied, () => void copy()]
}
