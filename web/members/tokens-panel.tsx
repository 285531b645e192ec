import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Trash2 } from 'lucide-react'
import { useState } from 'react'
import { SERVICE_ACCOUNTS_V1 } from '../../src/contract/service-accounts.v1.ts'
import { client } from '../session.ts'
import { Button, IconButton } from '../ui/button.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Secret } from '../ui/secret.tsx'
import { Table } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'
import { CreateTokenDialog } from './create-token-dialog.tsx'
import { type AccountPlace, type TokenJson, tokensQuery } from './queries.ts'
import { useRights } from './rights.ts'
import { Why } from './why.tsx'

/** The `plx_pat_` tokens of a service account. */
export function TokensPanel({ place }: { readonly place: AccountPlace }) {
  const { data: tokens, error } = useQuery(tokensQuery(place))
  const [isCreating, setCreating] = useState(false)
  const [created, setCreated] = useState<string | null>(null)
  const [deleting, setDeleting] = useState<TokenJson | null>(null)
  const queries = useQueryClient()
  const { whyNot } = useRights(place.project)
  const whyNotCreate = whyNot('pollux.serviceAccountTokens.create')
  const whyNotDelete = whyNot('pollux.serviceAccountTokens.delete')
  const remove = async ({ name }: TokenJson): Promise<void> => {
    const params = { ...place, token: name.split('/').at(-1) ?? '' }
    await client.call(SERVICE_ACCOUNTS_V1.deleteToken, { params })
    await queries.invalidateQueries({ queryKey: tokensQuery(place).queryKey })
  }
  return (
    <section className="panel" aria-labelledby="tokens-title">
      <h2 id="tokens-title">Tokens</h2>
      <p className="quiet">
        Sent as <code>Authorization: Bearer</code> to this Pollux. They manage; they never call models.
      </p>
      {created !== null && (
        <Secret
          title="Take the token now"
          about="It is stored as a digest only, so nobody can show it again. If it gets lost, make another."
          secret={created}
          copyLabel="Copy the token"
          onDone={() => setCreated(null)}
        />
      )}
      {error !== null && <ErrorNotice title="The tokens could not be read" error={error} />}
      {tokens && tokens.length > 0 && (
        <Table
          label="Tokens of the account"
          columns={['Token', 'Expires', 'Last used', { unseen: 'Delete' }]}
        >
          <tbody>
            {tokens.map(token => (
              <tr key={token.name}>
                <th scope="row">
                  <span className="member__who">
                    {token.displayName !== undefined && token.displayName !== '' && (
                      <span>{token.displayName}</span>
                    )}
                    <code className="quiet">{token.maskedToken}</code>
                    <span className="quiet small">{limitsText(token)}</span>
                  </span>
                </th>
                <td>{token.expireTime !== undefined && <Time time={token.expireTime} />}</td>
                <td>{token.lastUsedTime === undefined ? 'never' : <Time time={token.lastUsedTime} />}</td>
                <td>
                  <IconButton
                    label={`Delete token ${token.maskedToken}`}
                    isDisabled={whyNotDelete !== null}
                    onPress={() => setDeleting(token)}
                  >
                    <Trash2 aria-hidden />
                  </IconButton>
                </td>
              </tr>
            ))}
          </tbody>
        </Table>
      )}
      {tokens === null && (
        <Why reason="You may not list them. Owners, auditors and those who make credentials can." />
      )}
      {tokens?.length === 0 && <p className="quiet">It has no token.</p>}
      <div className="actions">
        <Button isDisabled={whyNotCreate !== null} onPress={() => setCreating(true)}>
          Create token
        </Button>
      </div>
      <Why reason={whyNotCreate ?? whyNotDelete} />
      {isCreating && (
        <CreateTokenDialog place={place} onClose={() => setCreating(false)} onCreated={setCreated} />
      )}
      {deleting !== null && (
        <ConfirmDialog
          title={`Delete ${deleting.maskedToken}?`}
          verb="Delete"
          look="grave"
          onClose={() => setDeleting(null)}
          onConfirm={() => remove(deleting)}
        >
          <p>It is refused from the next request on. This cannot be undone.</p>
        </ConfirmDialog>
      )}
    </section>
  )
}

function limitsText({ permissions, project }: TokenJson): string {
  const what =
    permissions === undefined
      ? 'may all that its account may'
      : `has ${permissions.length} permission${permissions.length === 1 ? '' : 's'}`
  return project === undefined ? what : `${what}, in ${project} only`
}
