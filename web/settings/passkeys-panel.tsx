import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Trash2 } from 'lucide-react'
import { useState } from 'react'
import type { ResponseOf } from '../../src/contract/endpoint.ts'
import { SESSION_V1 } from '../../src/contract/sign-in.v1.ts'
import { useAttempt } from '../door/attempt.ts'
import { hasPasskeys, makePasskey } from '../door/passkey.ts'
import { Why } from '../members/why.tsx'
import { passkeysQuery, signInQuery } from '../queries.ts'
import { client } from '../session.ts'
import { Button, IconButton } from '../ui/button.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { TextField } from '../ui/field.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Table } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'
import { addToast } from '../ui/toast.tsx'

type Passkey = ResponseOf<typeof SESSION_V1.listPasskeys>['passkeys'][number]

/** The devices with which one signs in. */
export function PasskeysPanel() {
  const { data: passkeys, error: listError } = useQuery(passkeysQuery)
  const { data: signIn } = useQuery(signInQuery)
  const [name, setName] = useState('')
  const [removing, setRemoving] = useState<Passkey | null>(null)
  const { error, isWorking, attempt } = useAttempt()
  const queries = useQueryClient()
  const told = () => queries.invalidateQueries({ queryKey: passkeysQuery.queryKey })
  const why = whyNone(signIn?.methods.includes('PASSKEY') ?? true)
  const add = async (): Promise<void> => {
    const answer = await makePasskey(await client.call(SESSION_V1.startNewPasskey, { body: {} }))
    const displayName = name.trim()
    const passkey = { ...answer, ...(displayName === '' ? {} : { displayName }) }
    const made = await client.call(SESSION_V1.createPasskey, { body: { passkey } })
    setName('')
    addToast({ text: `${made.displayName} signs you in from now on.` })
    await told()
  }
  const remove = async (passkey: Passkey): Promise<void> => {
    await client.call(SESSION_V1.deletePasskey, { params: { passkey: idOf(passkey) } })
    await told()
  }
  return (
    <section className="panel" aria-labelledby="passkeys-title">
      <h2 id="passkeys-title">Passkeys</h2>
      {listError !== null && <ErrorNotice title="The passkeys could not be read" error={listError} />}
      {passkeys?.length === 0 && (
        <p className="quiet">
          None yet. A passkey is kept by your device or password manager, cannot be typed into a false page,
          and signs in without a password.
        </p>
      )}
      {passkeys !== undefined && passkeys.length > 0 && (
        <Table label="Your passkeys" columns={['Passkey', 'Added', 'Last used', { unseen: 'Remove' }]}>
          <tbody>
            {passkeys.map(passkey => (
              <tr key={passkey.name}>
                <th scope="row">{passkey.displayName}</th>
                <td>
                  <Time time={passkey.createTime} />
                </td>
                <td>{passkey.lastUseTime === undefined ? 'never' : <Time time={passkey.lastUseTime} />}</td>
                <td>
                  <IconButton
                    label={`Remove passkey ${passkey.displayName}`}
                    onPress={() => setRemoving(passkey)}
                  >
                    <Trash2 aria-hidden />
                  </IconButton>
                </td>
              </tr>
            ))}
          </tbody>
        </Table>
      )}
      <form
        className="dialog__form"
        onSubmit={event => {
          event.preventDefault()
          if (why === null) attempt(add)
        }}
      >
        {why === null && (
          <TextField label="Name of the device" value={name} onChange={setName} placeholder="My laptop" />
        )}
        {error !== null && <ErrorNotice title="No passkey was added" error={error} />}
        <Why reason={why} />
        <div className="actions">
          <Button type="submit" isDisabled={why !== null || isWorking}>
            Add a passkey
          </Button>
        </div>
      </form>
      {removing !== null && (
        <ConfirmDialog
          title={`Remove ${removing.displayName}?`}
          verb="Remove"
          look="grave"
          onClose={() => setRemoving(null)}
          onConfirm={() => remove(removing)}
        >
          <p>It signs you in no more. The device goes on offering it until you delete it there, too.</p>
        </ConfirmDialog>
      )}
    </section>
  )
}

function whyNone(isOffered: boolean): string | null {
  if (!isOffered) {
    return 'Passkeys belong to a name: they need https with a host name, or http://localhost. This address has none.'
  }
  return hasPasskeys() ? null : 'This browser makes no passkeys that Pollux understands.'
}

/** `passkeys/ID` */
function idOf({ name }: Passkey): string {
  return name.slice(name.indexOf('/') + 1)
}
