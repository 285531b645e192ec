import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, useNavigate, useParams, useSearchParams } from 'react-router'
import { TIERS_V1 } from '../../src/contract/quotas.v1.ts'
import { idOf } from '../keys/rows.ts'
import { PATHS, newTierPath, tierPath } from '../paths.ts'
import { projectsQuery } from '../queries.ts'
import { client } from '../session.ts'
import { Button, ButtonLink } from '../ui/button.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { ErrorNotice, Notice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { addToast } from '../ui/toast.tsx'
import { LimitGrid } from './limit-grid.tsx'
import { type TierJson, tiersQuery } from './queries.ts'
import { EMPTY_TIER, bodyOf, draftOf, patchOf } from './tier-draft.ts'
import { TierForm } from './tier-form.tsx'
import './limits.css'

/** One tier: a published one to read, one's own to change. */
export function TierScreen() {
  const { tier: id = '' } = useParams()
  const { data: tiers, error } = useQuery(tiersQuery)
  if (error !== null) return <ErrorNotice title="The tier could not be read" error={error} />
  if (tiers === undefined) return <div className="waiting" />
  const tier = tiers.find(({ name }) => idOf(name) === id)
  if (tier === undefined) {
    return (
      <Page title="No such tier" about={`There is no tier '${id}', or not any more.`}>
        <ButtonLink to={PATHS.tiers}>All tiers</ButtonLink>
      </Page>
    )
  }
  // A tier that somebody else changed meanwhile is another form.
  return tier.isShipped ? <Published tier={tier} /> : <Own key={tier.etag} tier={tier} />
}

function Published({ tier }: { readonly tier: TierJson }) {
  const { name, displayName, limits = [], source } = tier
  return (
    <Page
      title={displayName || idOf(name)}
      about={<Binds id={idOf(name)} />}
      actions={
        <ButtonLink to={newTierPath(idOf(name))} look="first">
          Make your own from it
        </ButtonLink>
      }
    >
      <div className="limits">
        <Notice>
          <p>Published, not to be changed: {source}. A model that is not listed has no limit in it.</p>
        </Notice>
        <section className="panel">
          <h2>Limits of each project</h2>
          <LimitGrid limits={limits} />
        </section>
      </div>
    </Page>
  )
}

function Own({ tier }: { readonly tier: TierJson }) {
  const queries = useQueryClient()
  const navigate = useNavigate()
  const [start] = useState(() => draftOf(tier))
  const [isDeleting, setDeleting] = useState(false)
  const params = { tier: start.id }
  const name = tier.displayName || start.id
  return (
    <Page title={name} about={<Binds id={start.id} />}>
      <TierForm
        start={start}
        isNew={false}
        onSave={async draft => {
          const patch = patchOf(start, draft)
          await client.call(TIERS_V1.updateTier, {
            params,
            query: { updateMask: Object.keys(patch).join(',') },
            body: { ...patch, etag: tier.etag },
          })
          addToast({ text: `${name} is saved. It holds from the next call on.` })
          await navigate(PATHS.tiers)
          await queries.invalidateQueries({ queryKey: ['tiers'] })
        }}
      >
        <Button look="grave" onPress={() => setDeleting(true)}>
          Delete
        </Button>
      </TierForm>
      {isDeleting && (
        <ConfirmDialog
          title={`Delete ${name}?`}
          verb="Delete"
          look="grave"
          onClose={() => setDeleting(false)}
          onConfirm={async () => {
            await client.call(TIERS_V1.deleteTier, { params, query: {} })
            addToast({ text: `${name} is deleted.` })
            await navigate(PATHS.tiers)
            await queries.invalidateQueries({ queryKey: ['tiers'] })
          }}
        >
          <p>
            A tier that projects have stays, unless a published one of the same id takes its place. It cannot
            be brought back.
          </p>
        </ConfirmDialog>
      )}
    </Page>
  )
}

/** Who is bound by it. */
function Binds({ id }: { readonly id: string }) {
  const { data: projects = [] } = useQuery(projectsQuery)
  const names = projects
    .filter(({ tier, state }) => tier === id && state === 'ACTIVE')
    .map(({ projectId, displayName }) => displayName ?? projectId)
  return (
    <>
      <Link to={PATHS.tiers}>Tiers</Link> ·{' '}
      {names.length === 0 ? 'no project has it' : `binds ${names.join(', ')}`}
    </>
  )
}

/** A tier of one's own, empty or as another is. */
export function NewTierScreen() {
  const [search] = useSearchParams()
  const { data: tiers } = useQuery(tiersQuery)
  const queries = useQueryClient()
  const navigate = useNavigate()
  if (tiers === undefined) return <div className="waiting" />
  const from = tiers.find(({ name }) => idOf(name) === search.get('from'))
  return (
    <Page
      title="Make a tier"
      about={
        from === undefined ? undefined : `A copy of ${from.displayName || idOf(from.name)}, to be changed.`
      }
    >
      <TierForm
        start={from === undefined ? EMPTY_TIER : { ...draftOf(from), id: '', displayName: '' }}
        isNew
        onSave={async draft => {
          await client.call(TIERS_V1.updateTier, {
            params: { tier: draft.id },
            query: { allowMissing: true },
            body: bodyOf(draft),
          })
          addToast({ text: `${draft.displayName || draft.id} is made. Give it to projects on their page.` })
          await navigate(tierPath(draft.id))
          await queries.invalidateQueries({ queryKey: ['tiers'] })
        }}
      />
    </Page>
  )
}
