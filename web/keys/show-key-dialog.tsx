import { useState } from 'react'
import { APIKEYS_V2 } from '../../src/contract/apikeys.v2.ts'
import { client } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { CopyTextButton } from '../ui/copy-button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import type { KeyRow } from './rows.ts'
import './form.css'

interface ShowKeyProps {
  readonly row: KeyRow
  readonly onClose: () => void
}

/** A key that its project keeps, shown once more. The server asks for a fresh proof, and writes down who looked. */
export function ShowKeyDialog({ row, onClose }: ShowKeyProps) {
  const [keyString, setKeyString] = useState<string | null>(null)
  const [error, setError] = useState<unknown>(null)
  const [isWorking, setWorking] = useState(false)
  const show = async (): Promise<void> => {
    setWorking(true)
    try {
      const params = { project: row.projectId, key: row.keyId }
      setKeyString((await client.call(APIKEYS_V2.getKeyString, { params })).keyString)
      setError(null)
    } catch (cause) {
      setError(cause)
    }
    setWorking(false)
  }
  return (
    <Dialog title={`Show ${row.name}`} onClose={onClose}>
      {keyString === null ? (
        <p>
          The project keeps its keys, sealed. Showing one is written to the audit trail, and may ask whether
          it is still you.
        </p>
      ) : (
        <code className="once__key" data-testid="key-string">
          {keyString}
        </code>
      )}
      {error !== null && <ErrorNotice title="The key is not shown" error={error} />}
      <div className="actions">
        <Button onPress={onClose}>Close</Button>
        {keyString === null ? (
          <Button look="first" isDisabled={isWorking} onPress={() => void show()}>
            Show the key
          </Button>
        ) : (
          <CopyTextButton text={keyString} label="Copy key" />
        )}
      </div>
    </Dialog>
  )
}
