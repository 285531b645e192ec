import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Download, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { SERVICE_ACCOUNTS_V1 } from '../../src/contract/service-accounts.v1.ts'
import { client } from '../session.ts'
import { Button, IconButton } from '../ui/button.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { download } from '../ui/download.ts'
import { SelectField } from '../ui/field.tsx'
import { ErrorNotice, Notice } from '../ui/notice.tsx'
import { Table } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'
import { EXPIRY_DAYS, EXPIRY_DAYS_DEFAULT, expireTimeIn } from './expiry.ts'
import { type AccountKeyJson, type AccountPlace, accountKeysQuery } from './queries.ts'
import { useRights } from './rights.ts'
import { Why } from './why.tsx'

const SHOWN_ID_CHARS = 12

interface KeyFile {
  readonly name: string
  readonly text: string
}

interface KeysProps {
  readonly place: AccountPlace
  readonly email: string
}

/** The key pairs of a service account, for Google's clients. */
export function AccountKeysPanel({ place, email }: KeysProps) {
  const { data: keys, error } = useQuery(accountKeysQuery(place))
  const [asked, setAsked] = useState<'create' | AccountKeyJson | null>(null)
  const [file, setFile] = useState<KeyFile | null>(null)
  const queries = useQueryClient()
  const { whyNot } = useRights(place.project)
  const whyNotCreate = whyNot('iam.serviceAccountKeys.create')
  const whyNotDelete = whyNot('iam.serviceAccountKeys.delete')
  const told = () => queries.invalidateQueries({ queryKey: accountKeysQuery(place).queryKey })
  const create = async (days: string): Promise<void> => {
    const key = await client.call(SERVICE_ACCOUNTS_V1.createServiceAccountKey, {
      params: { ...place },
      body: { validBeforeTime: expireTimeIn(days, Date.now()) },
    })
    const name = `${email.split('@')[0] ?? ''}-${keyIdOf(key).slice(0, SHOWN_ID_CHARS)}.json`
    setFile({ name, text: atob(key.privateKeyData ?? '') })
    await told()
  }
  const remove = async (key: AccountKeyJson): Promise<void> => {
    await client.call(SERVICE_ACCOUNTS_V1.deleteServiceAccountKey, {
      params: { ...place, key: keyIdOf(key) },
    })
    await told()
  }
  const close = (): void => setAsked(null)
  return (
    <section className="panel" aria-labelledby="account-keys-title">
      <h2 id="account-keys-title">Key files</h2>
      <p className="quiet">
        For Google's client libraries, in place of a token. The private half is with whoever downloaded it,
        and nowhere else.
      </p>
      {file !== null && (
        <div className="secret" role="group" aria-label="The key file">
          <Notice>
            <h3>Download the key file now</h3>
            <p>Pollux has not kept it. Keep it where only the program can read it.</p>
          </Notice>
          <div className="actions">
            <Button look="first" onPress={() => download(file.name, file.text, 'application/json')}>
              <Download aria-hidden />
              Download {file.name}
            </Button>
            <Button onPress={() => setFile(null)}>I have it</Button>
          </div>
        </div>
      )}
      {error !== null && <ErrorNotice title="The keys could not be read" error={error} />}
      {keys && keys.length > 0 && (
        <Table
          label="Key files of the account"
          columns={['Key', 'Created', 'Expires', 'Last used', { unseen: 'Delete' }]}
        >
          <tbody>
            {keys.map(key => (
              <tr key={key.name}>
                <th scope="row">
                  <code title={keyIdOf(key)}>{keyIdOf(key).slice(0, SHOWN_ID_CHARS)}…</code>
                </th>
                <td>
                  <Time time={key.validAfterTime} />
                </td>
                <td>{key.validBeforeTime !== undefined && <Time time={key.validBeforeTime} />}</td>
                <td>{key.lastUsedTime === undefined ? 'never' : <Time time={key.lastUsedTime} />}</td>
                <td>
                  <IconButton
                    label={`Delete key ${keyIdOf(key).slice(0, SHOWN_ID_CHARS)}`}
                    isDisabled={whyNotDelete !== null}
                    onPress={() => setAsked(key)}
                  >
                    <Trash2 aria-hidden />
                  </IconButton>
                </td>
              </tr>
            ))}
          </tbody>
        </Table>
      )}
      {keys === null && (
        <Why reason="You may not list them. Owners, auditors and those who make credentials can." />
      )}
      {keys?.length === 0 && <p className="quiet">It has no key file.</p>}
      <div className="actions">
        <Button isDisabled={whyNotCreate !== null} onPress={() => setAsked('create')}>
          Create key file
        </Button>
      </div>
      <Why reason={whyNotCreate ?? whyNotDelete} />
      {asked === 'create' && <CreateDialog onClose={close} onCreate={create} />}
      {asked !== null && asked !== 'create' && (
        <ConfirmDialog
          title={`Delete key ${keyIdOf(asked).slice(0, SHOWN_ID_CHARS)}?`}
          verb="Delete"
          look="grave"
          onClose={close}
          onConfirm={() => remove(asked)}
        >
          <p>What is signed with it is refused from the next request on. This cannot be undone.</p>
        </ConfirmDialog>
      )}
    </section>
  )
}

interface CreateProps {
  readonly onClose: () => void
  readonly onCreate: (days: string) => Promise<void>
}

function CreateDialog({ onClose, onCreate }: CreateProps) {
  const [days, setDays] = useState(EXPIRY_DAYS_DEFAULT)
  return (
    <ConfirmDialog
      title="Create key file"
      verb="Create key file"
      onClose={onClose}
      onConfirm={() => onCreate(days)}
    >
      <SelectField label="Expires in" value={days} onChange={setDays} options={EXPIRY_DAYS} />
    </ConfirmDialog>
  )
}

/** The 40 hexadecimal digits at the end of its name. */
function keyIdOf({ name }: AccountKeyJson): string {
  return name.split('/').at(-1) ?? name
}
