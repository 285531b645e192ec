import { type ReactNode, useState } from 'react'
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from 'react-aria-components'
import { Button } from './button.tsx'
import { ErrorNotice } from './notice.tsx'

interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  /** Something is typed into it: a press beside it does not throw that away. */
  readonly isForm?: boolean
  readonly children: ReactNode
}

/** A question over the screen. Escape closes it, and so does a press beside it; the focus goes back to where it was. */
export function Dialog({ title, onClose, isForm = false, children }: DialogProps) {
  return (
    <ModalOverlay
      isOpen
      isDismissable={!isForm}
      onOpenChange={isOpen => !isOpen && onClose()}
      className="veil"
    >
      <Modal className="dialog">
        <AriaDialog>
          <Heading slot="title" level={2}>
            {title}
          </Heading>
          {children}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  )
}

interface ConfirmProps extends Omit<DialogProps, 'isForm'> {
  /** The verb on the button. */
  readonly verb: string
  readonly look?: 'first' | 'grave'
  readonly isDisabled?: boolean
  /** What is said over an error. */
  readonly failure?: string
  /** Closes the dialog when it resolves; what it rejects with is shown. */
  readonly onConfirm: () => Promise<unknown>
}

/** A dialog that does one thing, or says why it could not. */
export function ConfirmDialog({
  verb,
  look = 'first',
  isDisabled = false,
  failure = 'Nothing was changed',
  onConfirm,
  ...dialog
}: ConfirmProps) {
  const [error, setError] = useState<unknown>(null)
  const [isWorking, setWorking] = useState(false)
  const confirm = (): void => {
    setWorking(true)
    onConfirm().then(dialog.onClose, (cause: unknown) => {
      setError(cause)
      setWorking(false)
    })
  }
  return (
    <Dialog title={dialog.title} onClose={dialog.onClose} isForm>
      <form
        onSubmit={event => {
          event.preventDefault()
          if (!isDisabled && !isWorking) confirm()
        }}
        className="dialog__form"
      >
        {dialog.children}
        {error !== null && <ErrorNotice title={failure} error={error} />}
        <div className="actions">
          <Button onPress={dialog.onClose}>Cancel</Button>
          <Button type="submit" look={look} isDisabled={isDisabled || isWorking}>
            {verb}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
