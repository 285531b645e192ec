import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, useNavigate, useParams } from 'react-router'
import { SERVICE_ACCOUNTS_V1 } from '../../src/contract/service-accounts.v1.ts'
import { useAttempt } from '../door/attempt.ts'
import { PATHS } from '../paths.ts'
import { client } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { TextField } from '../ui/field.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Time } from '../ui/time.tsx'
import { addToast } from '../ui/toast.tsx'
import { AccountKeysPanel } from './account-keys-panel.tsx'
import { AccountState } from './accounts-screen.tsx'
import { type AccountJson, type AccountPlace, accountQuery } from './queries.ts'
import { useRights } from './rights.ts'
import { RolesPanel } from './roles-panel.tsx'
import { TokensPanel } from './tokens-panel.tsx'
import { Why } from './why.tsx'
import '../keys/key-screen.css'
import '../keys/form.css'
import './members.css'

/** One service account: what it may do, and with which tokens and keys it comes. */
export function AccountScreen() {
  const { project = '', account: serviceAccount = '' } = useParams()
  const place = { project, serviceAccount }
  const { data: account, error } = useQuery(accountQuery(place))
  if (error !== null) return <ErrorNotice title="The service account could not be read" error={error} />
  if (account === undefined) return <div className="waiting" />
  const name = account.displayName ?? serviceAccount
  return (
    <Page
      title={name}
      about={
        <>
          <Link to={PATHS.serviceAccounts}>Service accounts</Link> · {account.projectId}
        </>
      }
    >
      <div className="key">
        <div className="key__column">
          <Facts account={account} place={place} />
          <RolesPanel member={`serviceAccount:${account.email}`} name={name} />
        </div>
        <div className="key__column">
          <TokensPanel place={place} />
          <AccountKeysPanel place={place} email={account.email} />
        </div>
      </div>
    </Page>
  )
}

function Facts({ account, place }: { readonly account: AccountJson; readonly place: AccountPlace }) {
  const [asked, setAsked] = useState<'disable' | 'delete' | null>(null)
  const queries = useQueryClient()
  const { whyNot } = useRights(place.project)
  const { error, isWorking, attempt } = useAttempt()
  const why = whyNot(account.disabled ? 'iam.serviceAccounts.enable' : 'iam.serviceAccounts.disable')
  const whyNotDelete = whyNot('iam.serviceAccounts.delete')
  const told = async (change: Promise<unknown>): Promise<void> => {
    await change
    await queries.invalidateQueries({ queryKey: ['serviceAccounts'] })
  }
  const params = { ...place }
  const enable = (): Promise<void> =>
    told(client.call(SERVICE_ACCOUNTS_V1.enableServiceAccount, { params, body: {} }))
  const close = (): void => setAsked(null)
  return (
    <section className="panel" aria-labelledby="account-title">
      <h2 id="account-title">The account</h2>
      <dl className="facts">
        <dt>State</dt>
        <dd>
          <AccountState isDisabled={account.disabled} />
        </dd>
        <dt>Address</dt>
        <dd>
          <code>{account.email}</code> <CopyButton text={account.email} label="Copy the address" />
        </dd>
        {account.description !== undefined && account.description !== '' && (
          <>
            <dt>What for</dt>
            <dd>{account.description}</dd>
          </>
        )}
        <dt>Created</dt>
        <dd>
          <Time time={account.createTime} />
        </dd>
      </dl>
      {error !== null && <ErrorNotice title="Nothing was changed" error={error} />}
      <div className="actions">
        {account.disabled ? (
          <Button isDisabled={why !== null || isWorking} onPress={() => attempt(enable)}>
            Enable
          </Button>
        ) : (
          <Button isDisabled={why !== null || isWorking} onPress={() => setAsked('disable')}>
            Disable
          </Button>
        )}
        <Button look="grave" isDisabled={whyNotDelete !== null} onPress={() => setAsked('delete')}>
          Delete
        </Button>
      </div>
      <Why reason={why ?? whyNotDelete} />
      {asked === 'disable' && (
        <ConfirmDialog
          title={`Disable ${place.serviceAccount}?`}
          verb="Disable"
          look="grave"
          onClose={close}
          onConfirm={() => told(client.call(SERVICE_ACCOUNTS_V1.disableServiceAccount, { params, body: {} }))}
        >
          <p>All its tokens and keys are refused from the next request on, until it is enabled again.</p>
        </ConfirmDialog>
      )}
      {asked === 'delete' && <DeleteDialog place={place} onClose={close} />}
    </section>
  )
}

function DeleteDialog({ place, onClose }: { readonly place: AccountPlace; readonly onClose: () => void }) {
  const [typed, setTyped] = useState('')
  const queries = useQueryClient()
  const navigate = useNavigate()
  const { serviceAccount } = place
  const remove = async (): Promise<void> => {
    await client.call(SERVICE_ACCOUNTS_V1.deleteServiceAccount, { params: { ...place } })
    addToast({ text: `${serviceAccount} is deleted, with its tokens, keys and roles.` })
    void navigate(PATHS.serviceAccounts)
    queries.removeQueries({ queryKey: ['serviceAccounts', place.project, serviceAccount] })
    await Promise.all([
      queries.invalidateQueries({ queryKey: ['serviceAccounts', place.project], exact: true }),
      queries.invalidateQueries({ queryKey: ['policies'] }),
    ])
  }
  return (
    <ConfirmDialog
      title={`Delete ${serviceAccount} for good?`}
      verb="Delete"
      look="grave"
      onClose={onClose}
      isDisabled={typed !== serviceAccount}
      onConfirm={remove}
    >
      <p>
        Its tokens and keys are refused from the next request on, its roles are taken away, and its name is
        never given again. To stop it for a while, disable it.
      </p>
      <TextField label={`Type ${serviceAccount} to delete it`} autoFocus value={typed} onChange={setTyped} />
    </ConfirmDialog>
  )
}
